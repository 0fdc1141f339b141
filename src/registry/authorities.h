// CA certificates: GetRegistrationCode, DeleteRegistrationCode, RegisterCACertificate,
// DescribeCACertificate, UpdateCACertificate, DeleteCACertificate, ListCACertificates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "crypto/certificate.h"
#include "registry/certificates.h"
#include "registry/page.h"
#include "registry/registry.h"
#include "registry/tags.h"

namespace gnomon::registry {

// How certificates that come with a connection are provisioned: a template, by its body with a
// role, or by its name. Empty: not so. What is in it is for the provisioning to check.
struct RegistrationConfig {
  std::string template_body, role_arn, template_name;
};

// The account's code, 64 digits of hexadecimal, made by the first who asks. Errors:
// service_unavailable.
Written<std::string> get_registration_code(Registry& registry);
// Errors: resource_not_found.
Written<Nothing> delete_registration_code(Registry& registry);

struct RegisterCaCertificate {
  std::string ca_certificate;            // PEM
  std::string verification_certificate;  // PEM, signed by it, its CN the registration code
  bool set_as_active = false;
  bool allow_auto_registration = false;
  std::optional<RegistrationConfig> registration_config;
  Tags tags;
  CertificateMode certificate_mode = CertificateMode::standard;  // sni_only: no verification
};
// Errors: resource_already_exists; registration_code_validation; certificate_validation (one of the
// two cannot be read, is no CA, has expired, is not signed by the other); limit_exceeded (10 of one
// subject); invalid_request (no verification certificate, tags, a template body without role or
// with a name).
Written<RegisteredCertificate> register_ca_certificate(Registry& registry,
                                                       const RegisterCaCertificate& request);

struct CaCertificateDescription {
  std::string certificate_arn, certificate_id, certificate_pem;
  bool active = false;
  bool auto_registration = false;
  CertificateMode certificate_mode{};
  std::string owned_by;  // the account
  WallTime creation_date, last_modified_date;
  std::uint64_t customer_version = 0;
  std::string generation_id;
  WallTime not_before, not_after;
  std::optional<RegistrationConfig> registration_config;
};
// Errors: resource_not_found.
Reply<CaCertificateDescription> describe_ca_certificate(const Registry& registry,
                                                        std::string_view certificate_id);

struct UpdateCaCertificate {
  std::string certificate_id;
  std::optional<bool> active, auto_registration;
  std::optional<RegistrationConfig> registration_config;
  bool remove_auto_registration = false;  // the config is removed
};
// Changes what is given. Errors: resource_not_found, invalid_request (a config set and removed, or
// one that cannot be).
Written<Nothing> update_ca_certificate(Registry& registry, const UpdateCaCertificate& request);

// The certificates that it has signed stay. Errors: resource_not_found, certificate_state (active).
Written<Nothing> delete_ca_certificate(Registry& registry, std::string_view certificate_id);

struct CaCertificateEntry {
  std::string certificate_arn, certificate_id;
  bool active = false;
  WallTime creation_date;
};
// By their creation, the newest first unless `ascending`; `template_name`: only those with it.
// Errors: invalid_request (the token).
Reply<Page<CaCertificateEntry>> list_ca_certificates(const Registry& registry,
                                                     std::string_view template_name, bool ascending,
                                                     const PageRequest& page);

// The registered CAs that have signed a certificate: each of its issuer's subject is tried by key
// id and signature. Errors: service_unavailable.
Reply<std::vector<CaCertificateDescription>> issuers_of(const Registry& registry,
                                                        const crypto::Certificate& certificate);

}  // namespace gnomon::registry
