// RegisterCACertificate, DescribeCACertificate, UpdateCACertificate, DeleteCACertificate,
// ListCACertificates, GetRegistrationCode, DeleteRegistrationCode.
#include <optional>

#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "provisioning/templates.h"
#include "registry/authorities.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;
using registry::CertificateMode;

std::string_view status_text(bool active) { return active ? "ACTIVE" : "INACTIVE"; }

std::optional<registry::RegistrationConfig> config_of(const json::Value& input) {
  const json::Value* config = member(input, "registrationConfig");
  if (config == nullptr) return std::nullopt;
  return registry::RegistrationConfig{.template_body = text_copy(*config, "templateBody"),
                                      .role_arn = text_copy(*config, "roleArn"),
                                      .template_name = text_copy(*config, "templateName")};
}

// What provisioning says to the config of a request, if it has one.
registry::Reply<registry::Nothing> check_config(Context& context, const json::Value& input) {
  const auto config = config_of(input);
  if (!config) return registry::Nothing{};
  return provisioning::check_config(context.world.provisioning, *config);
}

bj::value to_json(const std::optional<registry::RegistrationConfig>& config) {
  if (!config) return nullptr;
  return {{"templateBody", or_null(config->template_body)},
          {"roleArn", or_null(config->role_arn)},
          {"templateName", or_null(config->template_name)}};
}

Outcome register_ca_certificate(Context& context, const json::Value& input, json::Value& output) {
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  if (auto checked = check_config(context, input); !checked) return to_error(checked.error());
  const auto mode = registry::certificate_mode(text(input, "certificateMode"));
  return answer_written(
      registry::register_ca_certificate(
          context.world.registry,
          {.ca_certificate = text_copy(input, "caCertificate"),
           .verification_certificate = text_copy(input, "verificationCertificate"),
           .set_as_active = flag(input, "setAsActive").value_or(false),
           .allow_auto_registration = flag(input, "allowAutoRegistration").value_or(false),
           .registration_config = config_of(input),
           .tags = *std::move(tags),
           .certificate_mode = mode.value_or(CertificateMode::standard)}),
      [&](const registry::RegisteredCertificate& made) {
        output = {{"certificateArn", made.certificate_arn}, {"certificateId", made.certificate_id}};
      });
}

Outcome describe_ca_certificate(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      registry::describe_ca_certificate(context.world.registry, text(input, "certificateId")),
      [&](const registry::CaCertificateDescription& certificate) {
        bj::object validity{{"notBefore", certificate.not_before.ms},
                            {"notAfter", certificate.not_after.ms}};
        bj::object description{
            {"certificateArn", certificate.certificate_arn},
            {"certificateId", certificate.certificate_id},
            {"status", status_text(certificate.active)},
            {"certificatePem", certificate.certificate_pem},
            {"ownedBy", certificate.owned_by},
            {"creationDate", certificate.creation_date.ms},
            {"autoRegistrationStatus", certificate.auto_registration ? "ENABLE" : "DISABLE"},
            {"lastModifiedDate", certificate.last_modified_date.ms},
            {"customerVersion", certificate.customer_version},
            {"generationId", certificate.generation_id},
            {"validity", std::move(validity)},
            {"certificateMode", to_string(certificate.certificate_mode)}};
        output = {{"certificateDescription", std::move(description)},
                  {"registrationConfig", to_json(certificate.registration_config)}};
      });
}

// Whether the member says `yes`; nothing if it is not there.
std::optional<bool> says(const json::Value& input, std::string_view name, std::string_view yes) {
  const json::Value* at = member(input, name);
  if (at == nullptr) return std::nullopt;
  return text(input, name) == yes;
}

Outcome update_ca_certificate(Context& context, const json::Value& input, json::Value&) {
  if (auto checked = check_config(context, input); !checked) return to_error(checked.error());
  return answer_written(registry::update_ca_certificate(
      context.world.registry,
      {.certificate_id = text_copy(input, "certificateId"),
       .active = says(input, "newStatus", "ACTIVE"),
       .auto_registration = says(input, "newAutoRegistrationStatus", "ENABLE"),
       .registration_config = config_of(input),
       .remove_auto_registration = flag(input, "removeAutoRegistration").value_or(false)}));
}

Outcome delete_ca_certificate(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      registry::delete_ca_certificate(context.world.registry, text(input, "certificateId")));
}

Outcome list_ca_certificates(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(registry::list_ca_certificates(
                         context.world.registry, text(input, "templateName"),
                         flag(input, "ascendingOrder").value_or(false), page_of(input, by_marker)),
                     output, "certificates", by_marker,
                     [](const registry::CaCertificateEntry& entry) -> bj::value {
                       return {{"certificateArn", entry.certificate_arn},
                               {"certificateId", entry.certificate_id},
                               {"status", status_text(entry.active)},
                               {"creationDate", entry.creation_date.ms}};
                     });
}

Outcome get_registration_code(Context& context, const json::Value&, json::Value& output) {
  return answer_written(
      registry::get_registration_code(context.world.registry),
      [&](const std::string& code) { set(output, "registrationCode", text_value(code)); });
}

Outcome delete_registration_code(Context& context, const json::Value&, json::Value&) {
  return answer_written(registry::delete_registration_code(context.world.registry));
}

constexpr Entry entries[] = {
    {"RegisterCACertificate", register_ca_certificate},
    {"DescribeCACertificate", describe_ca_certificate},
    {"UpdateCACertificate", update_ca_certificate},
    {"DeleteCACertificate", delete_ca_certificate},
    {"ListCACertificates", list_ca_certificates},
    {"GetRegistrationCode", get_registration_code},
    {"DeleteRegistrationCode", delete_registration_code},
};

}  // namespace

Entries iot_authorities() { return entries; }

}  // namespace gnomon::operations
