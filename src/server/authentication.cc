#include "server/authentication.h"

#include <utility>

#include "base/limits.h"
#include "crypto/hash.h"

namespace gnomon::server {

using broker::Identity;
using broker::Refusal;
using broker::Verdict;
using mqtt::Reason;

Authentication::Authentication(const WallClock& wall, runtime::Pool& pool, Random& random)
    : wall_(wall), pool_(pool), secret_(32, '\0'), ground_(std::make_shared<Ground>(Known{})) {
  random.fill(std::span(reinterpret_cast<std::uint8_t*>(secret_.data()), secret_.size()));
}

void Authentication::use(Known known) {
  auto made = std::make_shared<Ground>(std::move(known));
  ground_.with([&](auto& ground) { ground.swap(made); });
}

std::optional<Verdict> Authentication::authenticate(const broker::Credentials& credentials,
                                                    Later later) {
  const std::shared_ptr<Ground> ground = ground_.with([](const auto& held) { return held; });
  const runtime::Security* security = credentials.security;
  if (security != nullptr && !security->certificate.empty()) {
    return by_certificate(*ground, security->certificate);
  }
  // A name alone proves nothing and claims nothing: SDKs tell their version in it.
  if (credentials.username && credentials.password && ground->known.users) {
    return by_password(ground, *credentials.username, *credentials.password, std::move(later));
  }
  if (credentials.peer.is_loopback() && ground->known.local) return Identity{"local", nullptr};
  return Refusal{Reason::not_authorized,
                 "no identity: a certificate of the device authority, a user of the password file, "
                 "or a loopback address with the setting local"};
}

// ---- certificates

Verdict Authentication::by_certificate(Ground& ground, const std::string& der) const {
  const WallTime now = wall_.now();
  const std::string id = crypto::hex(crypto::sha256(as_bytes(der)));
  const bool known = ground.certificates.with([&](const auto& certificates) {
    const auto at = certificates.find(id);
    return at != certificates.end() && at->second.from <= now && now <= at->second.until;
  });
  if (known) return Identity{id, nullptr};
  const auto leaf = crypto::Certificate::from_der(as_bytes(der));
  if (!leaf) return Refusal{Reason::not_authorized, "the certificate " + leaf.error().message};
  const auto verified =
      crypto::verify(*leaf, {{}, ground.known.authorities, crypto::Purpose::tls_client, now, ""});
  if (!verified) return Refusal{Reason::not_authorized, verified.error().message};
  ground.certificates.with([&](auto& certificates) {
    if (certificates.size() >= limits::certificates_remembered_max) certificates.clear();
    certificates[id] = {leaf->not_before(), leaf->not_after()};
  });
  return Identity{id, nullptr};
}

// ---- passwords

std::string Authentication::remembered(std::string_view user, ByteView password) const {
  Buffer text;  // its parts cannot be taken for others: the length stands in front
  text.append(std::to_string(user.size()) + ':');
  text.append(user);
  text.append(password);
  const auto hash = crypto::hmac_sha256(as_bytes(secret_), text.view());
  return {hash.begin(), hash.end()};
}

std::optional<Verdict> Authentication::by_password(const std::shared_ptr<Ground>& ground,
                                                   std::string_view user, ByteView password,
                                                   Later later) {
  const std::string key = remembered(user, password);
  if (ground->passwords.with([&](const auto& right) { return right.contains(key); })) {
    return Identity{"user/" + std::string(user), nullptr};
  }
  if (checks_.fetch_add(1) >= limits::password_checks_max) {
    checks_.fetch_sub(1);
    return Refusal{Reason::server_busy, "many passwords are being checked: try again later"};
  }
  pool_.run([this, ground, key, user = std::string(user), password = std::string(as_text(password)),
             later = std::move(later)] {
    const Users& users = *ground->known.users;
    const auto at = users.find(user);
    static const crypto::PasswordHash nobody = crypto::PasswordHash::nobody();
    const bool right = (at == users.end() ? nobody : at->second).matches(password);
    checks_.fetch_sub(1);
    if (!right) {
      return later(
          Refusal{Reason::bad_user_name_or_password, "the user name or the password is wrong"});
    }
    ground->passwords.with([&](auto& passwords) {
      if (passwords.size() >= limits::passwords_remembered_max) passwords.clear();
      passwords.insert(key);
    });
    later(Identity{"user/" + user, nullptr});
  });
  return std::nullopt;
}

}  // namespace gnomon::server
