// Certificates and authorities in the store. Internal to the module.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "registry/change.h"
#include "registry/stored.h"
#include "registry/tables.h"

namespace gnomon::registry {

// In lower case, as ids are kept.
[[nodiscard]] std::string canonical_id(std::string_view certificate_id);

[[nodiscard]] inline std::optional<stored::Certificate> load_certificate(
    records::Transaction& records, const std::string& id) {
  return load<stored::Certificate>(records, key(Table::certificate, id));
}
[[nodiscard]] inline std::optional<stored::Authority> load_authority(records::Transaction& records,
                                                                     const std::string& id) {
  return load<stored::Authority>(records, key(Table::authority, id));
}
[[nodiscard]] Failure no_certificate(std::string_view id);
[[nodiscard]] Failure no_authority(std::string_view id);

// The certificate of a record. If it is damaged the transaction fails, and it is none.
[[nodiscard]] std::optional<crypto::Certificate> certificate_of(records::Transaction& records,
                                                                const std::string& der);
[[nodiscard]] std::string pem_of(records::Transaction& records, const std::string& der);

// One certificate of a request, valid now, with a key that devices may have. Errors:
// certificate_validation.
Reply<crypto::Certificate> read_certificate(const Registry& registry, std::string_view pem);

// The ids of the registered CAs that have signed a certificate.
[[nodiscard]] std::vector<std::string> find_issuers(records::Transaction& records,
                                                    const crypto::Certificate& certificate);
// Those with a subject, by its DER.
[[nodiscard]] records::Key subject_key(std::string_view subject_der);

}  // namespace gnomon::registry
