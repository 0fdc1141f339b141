#include "cli/authority_steps.h"

#include <algorithm>
#include <chrono>

#include <boost/json.hpp>

namespace gnomon::cli {

namespace {

constexpr std::chrono::milliseconds day = std::chrono::hours(24);

// What says that who registers the certificate has its key.
Result<std::string> proof(ApiClient& client, const crypto::Authority& authority) {
  const auto answer = client.iot("GetRegistrationCode", boost::json::object());
  if (!answer) return answer.error();
  SystemRandom random;
  const WallTime now{SystemWallClock().now().ms / 1000 * 1000};
  const auto certificate =
      crypto::issue({crypto::Profile::device,
                     text_of(*answer, "registrationCode"),
                     {},
                     now,
                     std::min(now + day, authority.certificate.not_after())},
                    crypto::PrivateKey::generate_ec_p256().public_key(), authority, random);
  if (!certificate) return certificate.error();
  return certificate->to_pem();
}

}  // namespace

Result<crypto::Authority> make_authority(const std::string& name, WallTime now, WallTime until,
                                         Random& random) {
  const auto key = crypto::PrivateKey::generate_ec_p256();
  auto certificate =
      crypto::self_sign({crypto::Profile::device_ca, name, {}, now + -day, until}, key, random);
  if (!certificate) return certificate.error();
  return crypto::Authority{std::move(*certificate), key};
}

Result<json::Value> register_authority(ApiClient& client, const crypto::Certificate& certificate,
                                       const std::optional<crypto::PrivateKey>& key,
                                       json::Value more) {
  more.as_object()["caCertificate"] = certificate.to_pem();
  if (key) {
    const auto proven = proof(client, {certificate, *key});
    if (!proven) return proven.error();
    more.as_object()["verificationCertificate"] = *proven;
  } else {
    more.as_object()["certificateMode"] = "SNI_ONLY";
  }
  return client.iot("RegisterCACertificate", more);
}

}  // namespace gnomon::cli
