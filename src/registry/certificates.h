// Device certificates: CreateKeysAndCertificate, CreateCertificateFromCsr, RegisterCertificate,
// RegisterCertificateWithoutCA, DescribeCertificate, UpdateCertificate, DeleteCertificate,
// ListCertificates, ListCertificatesByCA, and the transfers, of which there are none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "crypto/certificate.h"
#include "registry/page.h"
#include "registry/registry.h"

namespace gnomon::registry {

enum class CertificateStatus : std::uint8_t {
  active,
  inactive,
  revoked,
  pending_transfer,
  register_inactive,
  pending_activation,
};
[[nodiscard]] std::string_view to_string(CertificateStatus status);  // as in the model
[[nodiscard]] std::optional<CertificateStatus> certificate_status(std::string_view name);

// sni_only: the same certificate may be registered with several accounts.
enum class CertificateMode : std::uint8_t { standard, sni_only };
[[nodiscard]] std::string_view to_string(CertificateMode mode);  // "DEFAULT", "SNI_ONLY"
[[nodiscard]] std::optional<CertificateMode> certificate_mode(std::string_view name);

// The id is the SHA-256 of the DER in 64 digits of lower-case hexadecimal.
struct CreatedCertificate {
  std::string certificate_arn, certificate_id, certificate_pem;
};
struct CreatedKeys {
  CreatedCertificate certificate;
  std::string public_key, private_key;  // PEM; the private one is kept nowhere
};
// An RSA key of 2,048 bits (0.1 s and more), and a certificate for it: CN "AWS IoT Certificate", to
// the end of 2049 or of the authority that signs. `status`: inactive, unless the request sets it
// active; pending_activation for fleet provisioning. Errors: service_unavailable.
Written<CreatedKeys> create_keys_and_certificate(Registry& registry, CertificateStatus status);

// Takes key and subject of the request, and nothing else of it. Errors: invalid_request (a request
// that is none, is not signed by its key, or has a key that crypto::PublicKey::check refuses).
Written<CreatedCertificate> create_certificate_from_csr(Registry& registry,
                                                        std::string_view request_pem,
                                                        CertificateStatus status);

struct RegisterCertificate {
  std::string certificate_pem;
  std::string ca_certificate_pem;  // empty: the registered CA of that subject
  CertificateStatus status = CertificateStatus::inactive;
};
struct RegisteredCertificate {
  std::string certificate_arn, certificate_id;
};
// A certificate that a registered CA has signed. Errors: resource_already_exists;
// certificate_validation (it cannot be read, has expired, has a key that is refused, no registered
// CA has signed it); certificate_conflict (several have: name one); certificate_state (its CA is
// inactive); invalid_request (a status other than active, inactive, revoked).
Written<RegisteredCertificate> register_certificate(Registry& registry,
                                                    const RegisterCertificate& request);
// One whose CA nobody knows here. Errors: as above, but for those of the CA.
Written<RegisteredCertificate> register_certificate_without_ca(Registry& registry,
                                                               std::string_view certificate_pem,
                                                               CertificateStatus status);
// One that the authority for devices here has signed, without the registry's knowing. Whoever calls
// has verified that. Errors: resource_already_exists, service_unavailable.
Written<RegisteredCertificate> register_issued(Registry& registry,
                                               const crypto::Certificate& certificate,
                                               CertificateStatus status);
// Just-in-time registration: a certificate that has come with a connection and is signed by the CA
// with this id becomes pending_activation. One that is registered already stays as it is. Errors:
// resource_not_found (the CA), certificate_state (it is not active, or does not register by
// itself).
Written<RegisteredCertificate> register_arrival(Registry& registry,
                                                const crypto::Certificate& certificate,
                                                std::string_view ca_certificate_id);

struct CertificateDescription {
  std::string certificate_arn, certificate_id, certificate_pem;
  std::string ca_certificate_id;  // empty: made here, or registered without CA
  CertificateStatus status{};
  CertificateMode certificate_mode{};
  std::string owned_by;  // the account
  WallTime creation_date, last_modified_date;
  std::uint64_t customer_version = 0;
  std::string generation_id;
  WallTime not_before, not_after;
};
// Ids with upper-case digits mean the same. Errors: resource_not_found.
Reply<CertificateDescription> describe_certificate(const Registry& registry,
                                                   std::string_view certificate_id);

// What a connection needs to know, quickly: nullopt if it is not registered. Errors:
// service_unavailable.
Reply<std::optional<CertificateStatus>> status_of(const Registry& registry,
                                                  std::string_view certificate_id);

// Errors: resource_not_found; invalid_request (a status other than active, inactive, revoked).
Written<Nothing> update_certificate(Registry& registry, std::string_view certificate_id,
                                    CertificateStatus new_status);

// Errors: resource_not_found; certificate_state (it is active); delete_conflict (a thing is
// attached; a policy, unless `force`, which detaches it).
Written<Nothing> delete_certificate(Registry& registry, std::string_view certificate_id,
                                    bool force);

struct CertificateEntry {
  std::string certificate_arn, certificate_id;
  CertificateStatus status{};
  CertificateMode certificate_mode{};
  WallTime creation_date;
};
// By their creation, the newest first unless `ascending`. Errors: invalid_request (the token).
Reply<Page<CertificateEntry>> list_certificates(const Registry& registry, bool ascending,
                                                const PageRequest& page);
// Those that one CA has signed; none if there is no such CA.
Reply<Page<CertificateEntry>> list_certificates_by_ca(const Registry& registry,
                                                      std::string_view ca_certificate_id,
                                                      bool ascending, const PageRequest& page);

// TransferCertificate, and the three operations that settle a transfer: a server has one account,
// so nothing can be transferred. Errors: resource_not_found, else always invalid_request.
Reply<Nothing> refuse_transfer(const Registry& registry, std::string_view certificate_id);

}  // namespace gnomon::registry
