#include "registry/certificate_records.h"

#include <algorithm>

#include "crypto/hash.h"

namespace gnomon::registry {

std::string canonical_id(std::string_view certificate_id) {
  std::string id(certificate_id);
  std::ranges::transform(id, id.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return id;
}

Failure no_certificate(std::string_view id) {
  return not_found("The certificate " + std::string(id) + " does not exist.");
}

Failure no_authority(std::string_view id) {
  return not_found("The CA certificate " + std::string(id) + " does not exist.");
}

std::optional<crypto::Certificate> certificate_of(records::Transaction& records,
                                                  const std::string& der) {
  auto certificate = crypto::Certificate::from_der(as_bytes(der));
  if (certificate) return std::move(certificate).value();
  records.fail(Error{Code::unavailable, "a certificate in the store is damaged: restore a backup"});
  return std::nullopt;
}

std::string pem_of(records::Transaction& records, const std::string& der) {
  const auto certificate = certificate_of(records, der);
  return certificate ? certificate->to_pem() : "";
}

Reply<crypto::Certificate> read_certificate(const Registry& registry, std::string_view pem) {
  const auto refused = [](const std::string& why) {
    return Failure(Kind::certificate_validation, "The certificate is not valid: " + why);
  };
  auto certificate = crypto::Certificate::from_pem(pem);
  if (!certificate) return refused(certificate.error().message);
  if (auto checked = certificate->public_key().check(); !checked)
    return refused(checked.error().message);
  // One that is not valid yet may be registered before it is used.
  const WallTime now = std::max(registry.clock.now(), certificate->not_before());
  if (auto timely = certificate->check_time(now); !timely) return refused(timely.error().message);
  return std::move(certificate).value();
}

records::Key subject_key(std::string_view subject_der) {
  return key(Table::authority_by_subject).last(as_text(crypto::sha256(as_bytes(subject_der))));
}

std::vector<std::string> find_issuers(records::Transaction& records,
                                      const crypto::Certificate& certificate) {
  const records::Key prefix = subject_key(certificate.issuer().der);
  std::vector<std::string> ids;
  records.scan(prefix, prefix.behind(), [&](std::string_view key, std::string_view) {
    ids.emplace_back(key.substr(prefix.view().size()));
    return true;
  });
  std::erase_if(ids, [&](const std::string& id) {
    const auto authority = load_authority(records, id);
    const auto ca = authority ? certificate_of(records, authority->der) : std::nullopt;
    return !ca || !certificate.issued_by(*ca);
  });
  return ids;
}

}  // namespace gnomon::registry
