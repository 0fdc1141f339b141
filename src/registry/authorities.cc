#include "registry/authorities.h"

#include "base/limits.h"
#include "registry/certificate_records.h"
#include "registry/tag_records.h"

namespace gnomon::registry {

namespace {

constexpr std::size_t code_digits = 64;

std::string resource(std::string_view id) { return std::string("cacert/").append(id); }
records::Key code_key() { return key(Table::setting, "registration code"); }

Failure not_valid(const std::string& why) {
  return {Kind::certificate_validation, "The CA certificate is not valid: " + why};
}

// Whether the owner of the CA's key knows the code of this account.
Reply<Nothing> check_verification(records::Transaction& records, const Registry& registry,
                                  const crypto::Certificate& ca, std::string_view pem) {
  const auto certificate = read_certificate(registry, pem);
  if (!certificate) return certificate.error();
  const auto code = load<stored::RegistrationCode>(records, code_key());
  const auto named = certificate->subject().find(crypto::Attribute::common_name);
  if (!code || named != code->code) {
    return Failure(Kind::registration_code_validation,
                   "The common name of the verification certificate must be the registration code "
                   "of this account (GetRegistrationCode).");
  }
  if (certificate->issued_by(ca)) return Nothing{};
  return Failure(Kind::certificate_validation,
                 "The verification certificate is not signed by the CA certificate.");
}

Reply<Nothing> set_config(const RegistrationConfig& config, stored::Authority& authority) {
  if (!config.template_name.empty() && !config.template_body.empty())
    return invalid("registrationConfig has a templateName or a templateBody, not both.");
  if (!config.template_body.empty() && config.role_arn.empty())
    return invalid("A templateBody needs the roleArn that it is provisioned with.");
  authority.template_body = config.template_body;
  authority.role_arn = config.role_arn;
  authority.template_name = config.template_name;
  return Nothing{};
}

std::size_t count(records::Transaction& records, const records::Key& prefix) {
  std::size_t count = 0;
  records.scan(prefix, prefix.behind(), [&](auto, auto) { return ++count > 0; });
  return count;
}

CaCertificateDescription to_description(records::Transaction& records, const Registry& registry,
                                        const std::string& id, const stored::Authority& authority) {
  CaCertificateDescription answer;
  answer.certificate_arn = arn(registry, resource(id));
  answer.certificate_id = id;
  if (const auto certificate = certificate_of(records, authority.der)) {
    answer.certificate_pem = certificate->to_pem();
    answer.not_before = certificate->not_before();
    answer.not_after = certificate->not_after();
  }
  answer.active = authority.active;
  answer.auto_registration = authority.auto_registration;
  answer.certificate_mode = authority.mode;
  answer.owned_by = registry.account;
  answer.creation_date = authority.created;
  answer.last_modified_date = authority.modified;
  answer.customer_version = authority.version;
  answer.generation_id = uuid(authority.generation_id);
  if (!authority.template_body.empty() || !authority.template_name.empty()) {
    answer.registration_config = {authority.template_body, authority.role_arn,
                                  authority.template_name};
  }
  return answer;
}

// The CA of a request. Errors: certificate_validation.
Reply<crypto::Certificate> read_ca(const Registry& registry, std::string_view pem) {
  auto ca = read_certificate(registry, pem);
  if (ca && !ca->is_ca()) return not_valid("it is not one of a CA (basic constraints, key usage).");
  return ca;
}

}  // namespace

Written<std::string> get_registration_code(Registry& registry) {
  return change(registry, [&](Change& change) -> Reply<std::string> {
    if (const auto code = load<stored::RegistrationCode>(change.records, code_key()))
      return code->code;
    const stored::RegistrationCode code{change.registry.random.hex(code_digits)};
    save(change.records, code_key(), code);
    return code.code;
  });
}

Written<Nothing> delete_registration_code(Registry& registry) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    if (change.records.absent(code_key())) return not_found("There is no registration code.");
    change.records.erase(code_key());
    return Nothing{};
  });
}

Written<RegisteredCertificate> register_ca_certificate(Registry& registry,
                                                       const RegisterCaCertificate& request) {
  const bool verified = request.certificate_mode == CertificateMode::standard;
  if (verified && request.verification_certificate.empty())
    return invalid("verificationCertificate is required with certificateMode DEFAULT.");
  const auto ca = read_ca(registry, request.ca_certificate);
  if (!ca) return ca.error();
  return change(registry, [&](Change& change) -> Reply<RegisteredCertificate> {
    records::Transaction& records = change.records;
    const std::string& id = ca->id();
    const std::string arn = change.arn(resource(id));
    if (!records.absent(key(Table::authority, id)))
      return already_exists("The CA certificate is already registered.", id, arn);
    if (verified) {
      if (auto checked =
              check_verification(records, registry, *ca, request.verification_certificate);
          !checked)
        return checked.error();
    }
    const records::Key subject = subject_key(ca->subject().der);
    if (count(records, subject) >= limits::authorities_of_subject_max) {
      return Failure(Kind::limit_exceeded,
                     "At most " + std::to_string(limits::authorities_of_subject_max) +
                         " CA certificates with one subject can be registered.");
    }
    stored::Authority authority;
    if (request.registration_config) {
      if (auto set = set_config(*request.registration_config, authority); !set) return set.error();
    }
    if (auto tagged = save_tags(records, resource(id), request.tags); !tagged)
      return tagged.error();
    authority.active = request.set_as_active;
    authority.auto_registration = request.allow_auto_registration;
    authority.mode = request.certificate_mode;
    authority.created = authority.modified = change.now;
    authority.generation_id = change.new_id();
    authority.der = ca->der();
    save(records, key(Table::authority, id), authority);
    records.put(records::Key(subject).last(id), "");
    records.put(age_key(Table::authority_by_age, change.now, id), "");
    return RegisteredCertificate{arn, id};
  });
}

Reply<CaCertificateDescription> describe_ca_certificate(const Registry& registry,
                                                        std::string_view certificate_id) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<CaCertificateDescription> {
                         const std::string id = canonical_id(certificate_id);
                         const auto authority = load_authority(records, id);
                         if (!authority) return no_authority(id);
                         return to_description(records, registry, id, *authority);
                       });
}

Written<Nothing> update_ca_certificate(Registry& registry, const UpdateCaCertificate& request) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();  // a CA is made inactive on a full disk, too
    const std::string id = canonical_id(request.certificate_id);
    auto authority = load_authority(change.records, id);
    if (!authority) return no_authority(id);
    if (request.registration_config && request.remove_auto_registration)
      return invalid("registrationConfig cannot be set and removed at once.");
    if (request.registration_config || request.remove_auto_registration) {
      const auto config = request.registration_config.value_or(RegistrationConfig{});
      if (auto set = set_config(config, *authority); !set) return set.error();
    }
    authority->active = request.active.value_or(authority->active);
    authority->auto_registration = request.auto_registration.value_or(authority->auto_registration);
    authority->modified = change.now;
    authority->generation_id = change.new_id();
    ++authority->version;
    save(change.records, key(Table::authority, id), *authority);
    return Nothing{};
  });
}

Written<Nothing> delete_ca_certificate(Registry& registry, std::string_view certificate_id) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    const std::string id = canonical_id(certificate_id);
    const auto authority = load_authority(change.records, id);
    if (!authority) return no_authority(id);
    if (authority->active) {
      return Failure(Kind::certificate_state,
                     "CA certificate must be deactivated (not ACTIVE) before deletion. "
                     "CertificateId=" +
                         id);
    }
    const auto certificate = certificate_of(change.records, authority->der);
    if (!certificate) return no_authority(id);
    change.records.erase(subject_key(certificate->subject().der).last(id));
    change.records.erase(age_key(Table::authority_by_age, authority->created, id));
    change.records.erase(key(Table::authority, id));
    erase_tags(change.records, resource(id));
    return Nothing{};
  });
}

Reply<Page<CaCertificateEntry>> list_ca_certificates(const Registry& registry,
                                                     std::string_view template_name, bool ascending,
                                                     const PageRequest& request) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<CaCertificateEntry>> {
        const auto id_in = [](const Entry& entry) {
          records::KeyReader parts(entry.rest);
          parts.number();
          return std::string(parts.rest());
        };
        Listing listing{"CA certificates", key(Table::authority_by_age)};
        listing.back = !ascending;
        if (!template_name.empty()) {
          listing.name += " of template " + std::string(template_name);
          listing.keep = [&](const Entry& entry) {
            const auto authority = load_authority(records, id_in(entry));
            return authority && authority->template_name == template_name;
          };
        }
        const auto entries = list(records, listing, request);
        if (!entries) return entries.error();
        Page<CaCertificateEntry> page{{}, entries->next_token};
        for (const Entry& entry : entries->items) {
          const std::string id = id_in(entry);
          if (const auto authority = load_authority(records, id)) {
            page.items.push_back(
                {arn(registry, resource(id)), id, authority->active, authority->created});
          }
        }
        return page;
      });
}

Reply<std::vector<CaCertificateDescription>> issuers_of(const Registry& registry,
                                                        const crypto::Certificate& certificate) {
  return records::read(
      registry.store,
      [&](records::Transaction& records) -> Reply<std::vector<CaCertificateDescription>> {
        std::vector<CaCertificateDescription> issuers;
        for (const std::string& id : find_issuers(records, certificate)) {
          if (const auto authority = load_authority(records, id))
            issuers.push_back(to_description(records, registry, id, *authority));
        }
        return issuers;
      });
}

}  // namespace gnomon::registry
