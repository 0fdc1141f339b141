// CreateProvisioningTemplate, DescribeProvisioningTemplate, UpdateProvisioningTemplate,
// DeleteProvisioningTemplate, ListProvisioningTemplates, their versions, CreateProvisioningClaim,
// RegisterThing.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "provisioning/fleet.h"
#include "provisioning/register_thing.h"
#include "provisioning/templates.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;
using provisioning::TemplateType;

std::optional<provisioning::ProvisioningHook> hook_of(const json::Value& input) {
  const json::Value* hook = member(input, "preProvisioningHook");
  if (hook == nullptr) return std::nullopt;
  return provisioning::ProvisioningHook{text_copy(*hook, "payloadVersion"),
                                        text_copy(*hook, "targetArn")};
}

bj::value to_json(const std::optional<provisioning::ProvisioningHook>& hook) {
  if (!hook) return nullptr;
  return {{"payloadVersion", hook->payload_version}, {"targetArn", hook->target_arn}};
}

// No template has a version below 1: it is not found.
std::uint64_t version_of(const json::Value& input) {
  return static_cast<std::uint64_t>(number(input, "versionId").value_or(0));
}

Outcome create_provisioning_template(Context& context, const json::Value& input,
                                     json::Value& output) {
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  const bool jitp = text(input, "type") == to_string(TemplateType::jitp);
  return answer_written(provisioning::create_template(
                            context.world.provisioning,
                            {.template_name = text_copy(input, "templateName"),
                             .description = text_copy(input, "description"),
                             .template_body = text_copy(input, "templateBody"),
                             .provisioning_role_arn = text_copy(input, "provisioningRoleArn"),
                             .enabled = flag(input, "enabled").value_or(false),
                             .pre_provisioning_hook = hook_of(input),
                             .type = jitp ? TemplateType::jitp : TemplateType::fleet_provisioning,
                             .tags = *std::move(tags)}),
                        [&](const provisioning::TemplateVersionCreated& made) {
                          output = {{"templateArn", made.template_arn},
                                    {"templateName", made.template_name},
                                    {"defaultVersionId", made.version_id}};
                        });
}

Outcome describe_provisioning_template(Context& context, const json::Value& input,
                                       json::Value& output) {
  return answer_read(
      provisioning::describe_template(context.world.provisioning, text(input, "templateName")),
      [&](const provisioning::TemplateDescription& found) {
        output = {{"templateArn", found.template_arn},
                  {"templateName", found.template_name},
                  {"description", or_null(found.description)},
                  {"creationDate", found.creation_date.ms},
                  {"lastModifiedDate", found.last_modified_date.ms},
                  {"defaultVersionId", found.default_version_id},
                  {"templateBody", found.template_body},
                  {"enabled", found.enabled},
                  {"provisioningRoleArn", found.provisioning_role_arn},
                  {"preProvisioningHook", to_json(found.pre_provisioning_hook)},
                  {"type", to_string(found.type)}};
      });
}

Outcome update_provisioning_template(Context& context, const json::Value& input, json::Value&) {
  const auto version = number(input, "defaultVersionId");
  provisioning::UpdateTemplate request{
      .template_name = text_copy(input, "templateName"),
      .description = maybe_text(input, "description"),
      .provisioning_role_arn = maybe_text(input, "provisioningRoleArn"),
      .enabled = flag(input, "enabled"),
      .default_version_id = {},
      .pre_provisioning_hook = hook_of(input),
      .remove_pre_provisioning_hook = flag(input, "removePreProvisioningHook").value_or(false)};
  if (version) request.default_version_id = static_cast<std::uint64_t>(*version);
  return answer_written(provisioning::update_template(context.world.provisioning, request));
}

Outcome delete_provisioning_template(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      provisioning::delete_template(context.world.provisioning, text_copy(input, "templateName")));
}

Outcome list_provisioning_templates(Context& context, const json::Value& input,
                                    json::Value& output) {
  return answer_page(
      provisioning::list_templates(context.world.provisioning, page_of(input, by_token)), output,
      "templates", by_token, [](const provisioning::TemplateDescription& found) -> bj::value {
        return {{"templateArn", found.template_arn},
                {"templateName", found.template_name},
                {"description", or_null(found.description)},
                {"creationDate", found.creation_date.ms},
                {"lastModifiedDate", found.last_modified_date.ms},
                {"enabled", found.enabled},
                {"type", to_string(found.type)}};
      });
}

Outcome create_provisioning_template_version(Context& context, const json::Value& input,
                                             json::Value& output) {
  return answer_written(
      provisioning::create_template_version(
          context.world.provisioning, text_copy(input, "templateName"),
          text_copy(input, "templateBody"), flag(input, "setAsDefault").value_or(false)),
      [&](const provisioning::TemplateVersionCreated& made) {
        output = {{"templateArn", made.template_arn},
                  {"templateName", made.template_name},
                  {"versionId", made.version_id},
                  {"isDefaultVersion", made.is_default_version}};
      });
}

Outcome describe_provisioning_template_version(Context& context, const json::Value& input,
                                               json::Value& output) {
  return answer_read(
      provisioning::describe_template_version(context.world.provisioning,
                                              text(input, "templateName"), version_of(input)),
      [&](const provisioning::TemplateVersionDescription& found) {
        output = {{"versionId", found.version_id},
                  {"creationDate", found.creation_date.ms},
                  {"templateBody", found.template_body},
                  {"isDefaultVersion", found.is_default_version}};
      });
}

Outcome delete_provisioning_template_version(Context& context, const json::Value& input,
                                             json::Value&) {
  return answer_written(provisioning::delete_template_version(
      context.world.provisioning, text_copy(input, "templateName"), version_of(input)));
}

Outcome list_provisioning_template_versions(Context& context, const json::Value& input,
                                            json::Value& output) {
  return answer_page(
      provisioning::list_template_versions(context.world.provisioning, text(input, "templateName"),
                                           page_of(input, by_token)),
      output, "versions", by_token,
      [](const provisioning::TemplateVersionDescription& found) -> bj::value {
        return {{"versionId", found.version_id},
                {"creationDate", found.creation_date.ms},
                {"isDefaultVersion", found.is_default_version}};
      });
}

Outcome create_provisioning_claim(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      provisioning::create_provisioning_claim(context.world.provisioning,
                                              text_copy(input, "templateName")),
      [&](const provisioning::ProvisioningClaim& made) {
        bj::object keys{{"PublicKey", made.public_key}, {"PrivateKey", made.private_key}};
        output = {{"certificateId", made.certificate_id},
                  {"certificatePem", made.certificate_pem},
                  {"keyPair", std::move(keys)},
                  {"expiration", made.expiration.ms}};
      });
}

// Whoever registers a thing must be allowed to do what the template does: else a template would do
// for them what they may not, as giving a certificate a policy.
std::optional<api::ApiError> refuse_plan(const Context& context, const provisioning::Plan& plan) {
  for (const auto& [action, resource] : provisioning::needs_of(context.world.registry, plan)) {
    const policy::Request request{
        .action = action, .resource = resource, .keys = context.keys, .now = context.now};
    if (iam::authorise(context.caller, request) == policy::Verdict::allowed) continue;
    return api::common_error(*context.operation.service, api::Fault::denied,
                             "User: " + context.caller.arn +
                                 " is not authorized to perform: " + action +
                                 " on resource: " + resource + ", which the template does");
  }
  return std::nullopt;
}

Outcome register_thing(Context& context, const json::Value& input, json::Value& output) {
  provisioning::Provisioning& provisioning = context.world.provisioning;
  const auto plan = provisioning::plan_of(provisioning, text(input, "templateBody"),
                                          text_map(input, "parameters"));
  if (!plan) return to_error(plan.error());
  if (auto refusal = refuse_plan(context, *plan)) return std::move(*refusal);
  return answer_written(provisioning::register_thing(provisioning, *plan),
                        [&](const provisioning::RegisteredThing& made) {
                          output = {{"certificatePem", or_null(made.certificate_pem)},
                                    {"resourceArns", bj::value_from(made.resource_arns)}};
                        });
}

constexpr Entry entries[] = {
    {"CreateProvisioningTemplate", create_provisioning_template},
    {"DescribeProvisioningTemplate", describe_provisioning_template},
    {"UpdateProvisioningTemplate", update_provisioning_template},
    {"DeleteProvisioningTemplate", delete_provisioning_template},
    {"ListProvisioningTemplates", list_provisioning_templates},
    {"CreateProvisioningTemplateVersion", create_provisioning_template_version},
    {"DescribeProvisioningTemplateVersion", describe_provisioning_template_version},
    {"DeleteProvisioningTemplateVersion", delete_provisioning_template_version},
    {"ListProvisioningTemplateVersions", list_provisioning_template_versions},
    {"CreateProvisioningClaim", create_provisioning_claim},
    {"RegisterThing", register_thing},
};

}  // namespace

Entries iot_provisioning() { return entries; }

}  // namespace gnomon::operations
