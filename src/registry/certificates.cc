#include "registry/certificates.h"

#include <algorithm>
#include <array>

#include "crypto/request.h"
#include "registry/attachment_records.h"
#include "registry/certificate_records.h"
#include "registry/steps.h"

namespace gnomon::registry {

namespace {

constexpr std::array<std::string_view, 6> status_names{
    "ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER", "REGISTER_INACTIVE", "PENDING_ACTIVATION"};
constexpr std::array<std::string_view, 2> mode_names{"DEFAULT", "SNI_ONLY"};

constexpr std::string_view subject_without_request = "AWS IoT Certificate";  // AWS IoT: the same
// Devices without a clock of their own have one that is behind when they first connect.
constexpr std::chrono::milliseconds valid_before = std::chrono::minutes(5);

std::string arn_of(const Registry& registry, std::string_view id) {
  return arn(registry, std::string("cert/").append(id));
}

records::Key authority_key(std::string_view authority, const stored::Certificate& certificate,
                           std::string_view id) {
  return key(Table::certificate_by_authority)
      .text(authority)
      .number(static_cast<std::uint64_t>(certificate.created.ms))
      .last(id);
}

// Writes a new certificate, and lists it, unless told otherwise. Errors: resource_already_exists.
Reply<RegisteredCertificate> insert(Change& change, const crypto::Certificate& from,
                                    stored::Certificate certificate, bool listed = true) {
  const std::string& id = from.id();
  const std::string arn = arn_of(change.registry, id);
  if (!change.records.absent(key(Table::certificate, id)))
    return already_exists("The certificate is already provisioned or registered.", id, arn);
  certificate.created = certificate.modified = change.now;
  certificate.not_before = from.not_before();
  certificate.not_after = from.not_after();
  certificate.generation_id = change.new_id();
  certificate.der = from.der();
  save(change.records, key(Table::certificate, id), certificate);
  if (listed) change.records.put(age_key(Table::certificate_by_age, change.now, id), "");
  if (!certificate.authority.empty())
    change.records.put(authority_key(certificate.authority, certificate, id), "");
  change.touched.principals.insert(id);
  return RegisteredCertificate{arn, id};
}

// Issues a certificate and keeps it.
Written<CreatedCertificate> create(Registry& registry, const crypto::PublicKey& key,
                                   const std::string& subject_der, CertificateStatus status) {
  const auto certificate = issue_certificate(registry, key, subject_der);
  if (!certificate) return invalid(certificate.error().message);
  return change(registry, [&](Change& change) -> Reply<CreatedCertificate> {
    stored::Certificate record;
    record.status = status;
    const auto inserted = insert(change, *certificate, record);
    if (!inserted) return inserted.error();
    return CreatedCertificate{inserted->certificate_arn, inserted->certificate_id,
                              certificate->to_pem()};
  });
}

bool may_be_set(CertificateStatus status) { return status <= CertificateStatus::revoked; }

Failure wrong_status(CertificateStatus status) {
  return invalid("The status " + std::string(to_string(status)) +
                 " cannot be set: it must be ACTIVE, INACTIVE or REVOKED.");
}

// The one CA that has signed a certificate, of those that are registered: its id.
Reply<std::string> find_authority(records::Transaction& records,
                                  const crypto::Certificate& certificate,
                                  const std::string& ca_pem) {
  std::vector<std::string> issuers = find_issuers(records, certificate);
  if (!ca_pem.empty()) {
    const auto ca = crypto::Certificate::from_pem(ca_pem);
    std::erase_if(issuers, [&](const std::string& id) { return !ca || id != ca->id(); });
  }
  if (issuers.size() == 1) return issuers.front();
  if (issuers.size() > 1) {
    return Failure(Kind::certificate_conflict,
                   "Several registered CA certificates with the same subject and key have signed "
                   "the certificate: say which by caCertificatePem.");
  }
  return Failure(Kind::certificate_validation,
                 ca_pem.empty()
                     ? "No registered CA certificate has signed the certificate. Register its CA, "
                       "or the certificate without CA."
                     : "The CA certificate is not registered, or has not signed the certificate.");
}

CertificateEntry to_entry(const Registry& registry, const std::string& id,
                          const stored::Certificate& certificate) {
  return {arn_of(registry, id), id, certificate.status, certificate.mode, certificate.created};
}

Reply<Page<CertificateEntry>> list_by(const Registry& registry, Listing listing, bool ascending,
                                      const PageRequest& request) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<Page<CertificateEntry>> {
                         listing.back = !ascending;
                         const auto entries = list(records, listing, request);
                         if (!entries) return entries.error();
                         Page<CertificateEntry> page{{}, entries->next_token};
                         for (const Entry& entry : entries->items) {
                           records::KeyReader parts(entry.rest);
                           parts.number();
                           const std::string id(parts.rest());
                           // One that is gone was deleted a moment ago.
                           if (const auto certificate = load_certificate(records, id))
                             page.items.push_back(to_entry(registry, id, *certificate));
                         }
                         return page;
                       });
}

}  // namespace

Result<crypto::Certificate> issue_certificate(const Registry& registry,
                                              const crypto::PublicKey& key, std::string subject_der,
                                              WallTime until) {
  crypto::Issue what;
  what.profile = crypto::Profile::device;
  what.common_name = subject_without_request;
  what.subject_der = std::move(subject_der);
  const auto second = std::chrono::milliseconds(std::chrono::seconds(1)).count();
  what.from.ms = (registry.clock.now().ms - valid_before.count()) / second * second;
  what.until = std::min(until, registry.devices.certificate.not_after());
  return crypto::issue(what, key, registry.devices, registry.random);
}

Result<crypto::Certificate> issue_for_request(const Registry& registry,
                                              std::string_view request_pem) {
  const auto request = crypto::read_request(request_pem);
  if (!request) return request.error();
  const bool named = !request->subject.parts.empty();
  return issue_certificate(registry, request->key, named ? request->subject.der : "");
}

Reply<RegisteredCertificate> keep_issued(Change& change, const crypto::Certificate& certificate,
                                         CertificateStatus status, bool listed) {
  stored::Certificate record;
  record.status = status;
  return insert(change, certificate, record, listed);
}

std::optional<CertificateState> find_certificate(Change& change, std::string_view certificate_id) {
  const auto certificate = load_certificate(change.records, canonical_id(certificate_id));
  if (!certificate) return std::nullopt;
  return CertificateState{certificate->status, pem_of(change.records, certificate->der)};
}

std::string_view to_string(CertificateStatus status) {
  return status_names[static_cast<std::size_t>(status) % status_names.size()];
}

std::optional<CertificateStatus> certificate_status(std::string_view name) {
  const auto* found = std::ranges::find(status_names, name);
  if (found == status_names.end()) return std::nullopt;
  return static_cast<CertificateStatus>(found - status_names.begin());
}

std::string_view to_string(CertificateMode mode) {
  return mode_names[static_cast<std::size_t>(mode) % mode_names.size()];
}

std::optional<CertificateMode> certificate_mode(std::string_view name) {
  const auto* found = std::ranges::find(mode_names, name);
  if (found == mode_names.end()) return std::nullopt;
  return static_cast<CertificateMode>(found - mode_names.begin());
}

Written<CreatedKeys> create_keys_and_certificate(Registry& registry, CertificateStatus status) {
  const crypto::PrivateKey key = crypto::PrivateKey::generate_rsa_2048();
  auto created = create(registry, key.public_key(), "", status);
  if (!created) return created.error();
  return Done<CreatedKeys>{
      {std::move(created->value), key.public_key().to_pem(), key.to_traditional_pem()},
      created->sequence,
      std::move(created->effects)};
}

Written<CreatedCertificate> create_certificate_from_csr(Registry& registry,
                                                        std::string_view request_pem,
                                                        CertificateStatus status) {
  const auto request = crypto::read_request(request_pem);
  if (!request) return invalid(request.error().message);
  const bool named = !request->subject.parts.empty();
  return create(registry, request->key, named ? request->subject.der : "", status);
}

Reply<RegisteredCertificate> register_certificate(Change& change,
                                                  const RegisterCertificate& request) {
  if (!may_be_set(request.status)) return wrong_status(request.status);
  const auto certificate = read_certificate(change.registry, request.certificate_pem);
  if (!certificate) return certificate.error();
  const auto authority_id =
      find_authority(change.records, *certificate, request.ca_certificate_pem);
  if (!authority_id) return authority_id.error();
  const auto authority = load_authority(change.records, *authority_id);
  if (!authority || !authority->active) {
    return Failure(Kind::certificate_state,
                   "The CA certificate " + *authority_id + " is not ACTIVE.");
  }
  stored::Certificate record;
  record.status = request.status;
  record.authority = *authority_id;
  return insert(change, *certificate, record);
}

Written<RegisteredCertificate> register_certificate(Registry& registry,
                                                    const RegisterCertificate& request) {
  return change(registry, [&](Change& change) { return register_certificate(change, request); });
}

Written<RegisteredCertificate> register_certificate_without_ca(Registry& registry,
                                                               std::string_view certificate_pem,
                                                               CertificateStatus status) {
  if (!may_be_set(status)) return wrong_status(status);
  const auto certificate = read_certificate(registry, certificate_pem);
  if (!certificate) return certificate.error();
  return change(registry, [&](Change& change) -> Reply<RegisteredCertificate> {
    stored::Certificate record;
    record.status = status;
    record.mode = CertificateMode::sni_only;
    return insert(change, *certificate, record);
  });
}

Written<RegisteredCertificate> register_issued(Registry& registry,
                                               const crypto::Certificate& certificate,
                                               CertificateStatus status) {
  return change(registry, [&](Change& change) {
    stored::Certificate record;
    record.status = status;
    return insert(change, certificate, record);
  });
}

Reply<RegisteredCertificate> register_arrival(Change& change,
                                              const crypto::Certificate& certificate,
                                              std::string_view ca_certificate_id) {
  const std::string& id = certificate.id();
  if (load_certificate(change.records, id))
    return RegisteredCertificate{arn_of(change.registry, id), id};
  const std::string authority_id = canonical_id(ca_certificate_id);
  const auto authority = load_authority(change.records, authority_id);
  if (!authority) return no_authority(authority_id);
  if (!authority->active || !authority->auto_registration) {
    return Failure(Kind::certificate_state,
                   "The CA certificate " + authority_id + " is not ACTIVE with auto-registration.");
  }
  stored::Certificate record;
  record.status = CertificateStatus::pending_activation;
  record.authority = authority_id;
  record.mode = authority->mode;
  return insert(change, certificate, record);
}

Written<RegisteredCertificate> register_arrival(Registry& registry,
                                                const crypto::Certificate& certificate,
                                                std::string_view ca_certificate_id) {
  return change(registry, [&](Change& change) {
    return register_arrival(change, certificate, ca_certificate_id);
  });
}

Reply<CertificateDescription> describe_certificate(const Registry& registry,
                                                   std::string_view certificate_id) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<CertificateDescription> {
                         const std::string id = canonical_id(certificate_id);
                         const auto certificate = load_certificate(records, id);
                         if (!certificate) return no_certificate(id);
                         CertificateDescription answer;
                         answer.certificate_arn = arn_of(registry, id);
                         answer.certificate_id = id;
                         answer.certificate_pem = pem_of(records, certificate->der);
                         answer.ca_certificate_id = certificate->authority;
                         answer.status = certificate->status;
                         answer.certificate_mode = certificate->mode;
                         answer.owned_by = registry.account;
                         answer.creation_date = certificate->created;
                         answer.last_modified_date = certificate->modified;
                         answer.customer_version = certificate->version;
                         answer.generation_id = uuid(certificate->generation_id);
                         answer.not_before = certificate->not_before;
                         answer.not_after = certificate->not_after;
                         return answer;
                       });
}

Reply<std::optional<CertificateStatus>> status_of(const Registry& registry,
                                                  std::string_view certificate_id) {
  return records::read(
      registry.store,
      [&](records::Transaction& records) -> Reply<std::optional<CertificateStatus>> {
        const auto certificate = load_certificate(records, canonical_id(certificate_id));
        if (!certificate) return std::optional<CertificateStatus>();
        return std::optional(certificate->status);
      });
}

Reply<Nothing> update_certificate(Change& change, std::string_view certificate_id,
                                  CertificateStatus new_status) {
  const std::string id = canonical_id(certificate_id);
  auto certificate = load_certificate(change.records, id);
  if (!certificate) return no_certificate(id);
  if (!may_be_set(new_status)) return wrong_status(new_status);
  if (certificate->status == new_status) return Nothing{};
  certificate->status = new_status;
  certificate->modified = change.now;
  certificate->generation_id = change.new_id();
  ++certificate->version;
  save(change.records, key(Table::certificate, id), *certificate);
  change.touched.principals.insert(id);
  return Nothing{};
}

Written<Nothing> update_certificate(Registry& registry, std::string_view certificate_id,
                                    CertificateStatus new_status) {
  return change(registry, [&](Change& change) {
    change.records.always();  // a certificate is revoked on a full disk, too
    return update_certificate(change, certificate_id, new_status);
  });
}

Reply<Nothing> delete_certificate(Change& change, std::string_view certificate_id, bool force) {
  const std::string id = canonical_id(certificate_id);
  const auto certificate = load_certificate(change.records, id);
  if (!certificate) return no_certificate(id);
  if (certificate->status == CertificateStatus::active) {
    return Failure(
        Kind::certificate_state,
        "Certificate must be deactivated (not ACTIVE) before deletion. CertificateId=" + id);
  }
  const Target target{Target::Kind::certificate, id};
  const stored::Attachment attachment = load_attachment(change.records, target);
  const std::string arn = arn_of(change.registry, id);
  if (attachment.things > 0) {
    return Failure(Kind::delete_conflict,
                   "Things must be detached before deletion (arn: " + arn + ")");
  }
  if (!attachment.policies.empty() && !force) {
    return Failure(Kind::delete_conflict,
                   "Certificate policies must be detached before deletion (arn: " + arn + ")");
  }
  detach_all(change.records, target);
  change.records.erase(age_key(Table::certificate_by_age, certificate->created, id));
  if (!certificate->authority.empty())
    change.records.erase(authority_key(certificate->authority, *certificate, id));
  change.records.erase(key(Table::certificate, id));
  change.touched.principals.insert(id);
  return Nothing{};
}

Written<Nothing> delete_certificate(Registry& registry, std::string_view certificate_id,
                                    bool force) {
  return change(registry,
                [&](Change& change) { return delete_certificate(change, certificate_id, force); });
}

Reply<Page<CertificateEntry>> list_certificates(const Registry& registry, bool ascending,
                                                const PageRequest& page) {
  return list_by(registry, {"certificates", key(Table::certificate_by_age)}, ascending, page);
}

Reply<Page<CertificateEntry>> list_certificates_by_ca(const Registry& registry,
                                                      std::string_view ca_certificate_id,
                                                      bool ascending, const PageRequest& page) {
  return list_by(registry,
                 {"certificates of a CA",
                  key(Table::certificate_by_authority).text(canonical_id(ca_certificate_id))},
                 ascending, page);
}

Reply<Nothing> refuse_transfer(const Registry& registry, std::string_view certificate_id) {
  return records::read(registry.store, [&](records::Transaction& records) -> Reply<Nothing> {
    const std::string id = canonical_id(certificate_id);
    if (!load_certificate(records, id)) return no_certificate(id);
    return invalid("This server has one account, " + registry.account +
                   ": certificates cannot be transferred.");
  });
}

}  // namespace gnomon::registry
