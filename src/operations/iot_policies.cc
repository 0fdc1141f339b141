// CreatePolicy, GetPolicy, DeletePolicy, ListPolicies, CreatePolicyVersion, GetPolicyVersion,
// DeletePolicyVersion, ListPolicyVersions, SetDefaultPolicyVersion.
#include <charconv>

#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/policies.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

// Digits, as the model has checked. A number beyond 64 bits is no policy's, like 0.
std::uint64_t version_of(const json::Value& input) {
  const std::string_view digits = text(input, "policyVersionId");
  std::uint64_t version = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  return read.ec == std::errc() ? version : 0;
}

Outcome create_policy(Context& context, const json::Value& input, json::Value& output) {
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  return answer_written(
      registry::create_policy(context.world.registry,
                              {.policy_name = text_copy(input, "policyName"),
                               .policy_document = text_copy(input, "policyDocument"),
                               .tags = *std::move(tags)}),
      [&](const registry::PolicyVersionDescription& made) {
        output = {{"policyName", made.policy_name},
                  {"policyArn", made.policy_arn},
                  {"policyDocument", made.policy_document},
                  {"policyVersionId", std::to_string(made.version)}};
      });
}

Outcome get_policy(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(registry::get_policy(context.world.registry, text(input, "policyName")),
                     [&](const registry::PolicyDescription& policy) {
                       output = {{"policyName", policy.policy_name},
                                 {"policyArn", policy.policy_arn},
                                 {"policyDocument", policy.policy_document},
                                 {"defaultVersionId", std::to_string(policy.default_version)},
                                 {"creationDate", policy.creation_date.ms},
                                 {"lastModifiedDate", policy.last_modified_date.ms},
                                 {"generationId", policy.generation_id}};
                     });
}

Outcome delete_policy(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      registry::delete_policy(context.world.registry, text_copy(input, "policyName")));
}

Outcome list_policies(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      registry::list_policies(context.world.registry, flag(input, "ascendingOrder").value_or(false),
                              page_of(input, by_marker)),
      output, "policies", by_marker, [](const registry::PolicyEntry& policy) -> bj::value {
        return {{"policyName", policy.policy_name}, {"policyArn", policy.policy_arn}};
      });
}

Outcome create_policy_version(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      registry::create_policy_version(context.world.registry, text_copy(input, "policyName"),
                                      text_copy(input, "policyDocument"),
                                      flag(input, "setAsDefault").value_or(false)),
      [&](const registry::PolicyVersionDescription& made) {
        output = {{"policyArn", made.policy_arn},
                  {"policyDocument", made.policy_document},
                  {"policyVersionId", std::to_string(made.version)},
                  {"isDefaultVersion", made.is_default_version}};
      });
}

// A version never changes, so it was last modified when it was made.
Outcome get_policy_version(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(registry::get_policy_version(context.world.registry, text(input, "policyName"),
                                                  version_of(input)),
                     [&](const registry::PolicyVersionDescription& version) {
                       output = {{"policyArn", version.policy_arn},
                                 {"policyName", version.policy_name},
                                 {"policyDocument", version.policy_document},
                                 {"policyVersionId", std::to_string(version.version)},
                                 {"isDefaultVersion", version.is_default_version},
                                 {"creationDate", version.creation_date.ms},
                                 {"lastModifiedDate", version.creation_date.ms},
                                 {"generationId", version.generation_id}};
                     });
}

Outcome delete_policy_version(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::delete_policy_version(
      context.world.registry, text_copy(input, "policyName"), version_of(input)));
}

Outcome list_policy_versions(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      registry::list_policy_versions(context.world.registry, text(input, "policyName")),
      [&](const std::vector<registry::PolicyVersionEntry>& versions) {
        json::Value& list = begin_list(output, "policyVersions");
        for (const auto& version : versions) {
          append(list, bj::object{{"versionId", std::to_string(version.version)},
                                  {"isDefaultVersion", version.is_default_version},
                                  {"createDate", version.create_date.ms}});
        }
      });
}

Outcome set_default_policy_version(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::set_default_policy_version(
      context.world.registry, text_copy(input, "policyName"), version_of(input)));
}

constexpr Entry entries[] = {
    {"CreatePolicy", create_policy},
    {"GetPolicy", get_policy},
    {"DeletePolicy", delete_policy},
    {"ListPolicies", list_policies},
    {"CreatePolicyVersion", create_policy_version},
    {"GetPolicyVersion", get_policy_version},
    {"DeletePolicyVersion", delete_policy_version},
    {"ListPolicyVersions", list_policy_versions},
    {"SetDefaultPolicyVersion", set_default_policy_version},
};

}  // namespace

Entries iot_policies() { return entries; }

}  // namespace gnomon::operations
