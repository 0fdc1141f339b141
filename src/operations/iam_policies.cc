// CreatePolicy, GetPolicy, DeletePolicy, ListPolicies, their versions and tags.
#include <boost/json.hpp>

#include "iam/policies.h"
#include "operations/handlers.h"
#include "operations/iam_answer.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

std::string version_id(std::uint64_t number) { return 'v' + std::to_string(number); }

// Lists show neither descriptions nor tags.
bj::object policy_value(const Context& context, const iam::ManagedPolicy& policy, Detail detail) {
  bj::object value{{"PolicyName", policy.name},
                   {"PolicyId", policy.id},
                   {"Arn", iam::arn(context.world.iam, policy)},
                   {"Path", policy.path},
                   {"DefaultVersionId", version_id(policy.default_version)},
                   {"AttachmentCount", policy.attachments},
                   {"PermissionsBoundaryUsageCount", policy.boundaries},
                   {"IsAttachable", true},
                   {"CreateDate", policy.created.ms},
                   {"UpdateDate", policy.updated.ms}};
  if (detail == Detail::listed) return value;
  if (!policy.description.empty()) value["Description"] = policy.description;
  if (!policy.tags.empty()) value["Tags"] = tag_list(policy.tags);
  return value;
}

Outcome create_policy(Context& context, const json::Value& input, json::Value& output) {
  auto tags = iam_tags_of(context, input);
  if (!tags) return tags.error();
  return answer_written(
      context,
      iam::create_policy(context.world.iam, {.name = text_copy(input, "PolicyName"),
                                             .path = maybe_text(input, "Path").value_or("/"),
                                             .description = text_copy(input, "Description"),
                                             .document = text_copy(input, "PolicyDocument"),
                                             .tags = *std::move(tags)}),
      [&](const iam::ManagedPolicy& policy) {
        output = {{"Policy", policy_value(context, policy, Detail::listed)}};
        if (!policy.tags.empty())
          output.as_object()["Policy"].as_object()["Tags"] = tag_list(policy.tags);
      });
}

Outcome get_policy(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(context, iam::get_policy(context.world.iam, text_copy(input, "PolicyArn")),
                     [&](const iam::ManagedPolicy& policy) {
                       output = {{"Policy", policy_value(context, policy, Detail::whole)}};
                     });
}

Outcome delete_policy(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context,
                        iam::delete_policy(context.world.iam, text_copy(input, "PolicyArn")));
}

// There are no policies of AWS's own (Scope).
Outcome list_policies(Context& context, const json::Value& input, json::Value& output) {
  if (text(input, "Scope") == "AWS") {
    begin_list(output, "Policies");
    set_marker(output, "");
    return Done{};
  }
  iam::ListPolicies request;
  request.path_prefix = maybe_text(input, "PathPrefix").value_or("/");
  const std::string_view usage = text(input, "PolicyUsageFilter");
  request.attached = flag(input, "OnlyAttached").value_or(false) || usage == "PermissionsPolicy";
  request.boundary = usage == "PermissionsBoundary";
  return answer_page(context, iam::list_policies(context.world.iam, request, iam_page_of(input)),
                     output, "Policies", [&](const iam::ManagedPolicy& policy) -> bj::value {
                       return policy_value(context, policy, Detail::listed);
                     });
}

// ---- versions

enum class Text : std::uint8_t { left_out, shown };
bj::object version_value(const iam::PolicyVersion& version, bool is_default, Text document) {
  bj::object value{{"VersionId", version_id(version.number)},
                   {"IsDefaultVersion", is_default},
                   {"CreateDate", version.created.ms}};
  if (document == Text::shown) value["Document"] = document_value(version.document);
  return value;
}

Outcome create_policy_version(Context& context, const json::Value& input, json::Value& output) {
  const bool as_default = flag(input, "SetAsDefault").value_or(false);
  return answer_written(
      context,
      iam::create_version(context.world.iam, text_copy(input, "PolicyArn"),
                          text_copy(input, "PolicyDocument"), as_default),
      [&](const iam::PolicyVersion& version) {
        output = {{"PolicyVersion", version_value(version, as_default, Text::left_out)}};
      });
}

Outcome get_policy_version(Context& context, const json::Value& input, json::Value& output) {
  const auto policy = iam::get_policy(context.world.iam, text_copy(input, "PolicyArn"));
  if (!policy) return to_error(context, policy.error());
  for (const iam::PolicyVersion& version : policy->versions) {
    if (version_id(version.number) != text(input, "VersionId")) continue;
    output = {{"PolicyVersion",
               version_value(version, version.number == policy->default_version, Text::shown)}};
    return Done{};
  }
  return to_error(context, iam::no_version(text(input, "PolicyArn"), text(input, "VersionId")));
}

Outcome delete_policy_version(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context,
                        iam::delete_version(context.world.iam, text_copy(input, "PolicyArn"),
                                            text_copy(input, "VersionId")));
}

Outcome set_default_policy_version(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context,
                        iam::set_default_version(context.world.iam, text_copy(input, "PolicyArn"),
                                                 text_copy(input, "VersionId")));
}

Outcome list_policy_versions(Context& context, const json::Value& input, json::Value& output) {
  const auto policy = iam::get_policy(context.world.iam, text_copy(input, "PolicyArn"));
  if (!policy) return to_error(context, policy.error());
  return answer_page(
      context,
      iam::cut(policy->versions, iam_page_of(input),
               [](const iam::PolicyVersion& version) {
                 const std::string digits = std::to_string(version.number);
                 return std::string(20 - digits.size(), '0') + digits;  // sorts as numbers do
               }),
      output, "Versions", [&](const iam::PolicyVersion& version) -> bj::value {
        return version_value(version, version.number == policy->default_version, Text::left_out);
      });
}

// ---- tags

Outcome tag_policy(Context& context, const json::Value& input, json::Value&) {
  const auto tags = iam_tags_of(context, input);
  if (!tags) return tags.error();
  return answer_written(context,
                        iam::tag_policy(context.world.iam, text_copy(input, "PolicyArn"), *tags));
}

Outcome untag_policy(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::untag_policy(context.world.iam, text_copy(input, "PolicyArn"),
                                                   texts(input, "TagKeys")));
}

Outcome list_policy_tags(Context& context, const json::Value& input, json::Value& output) {
  const auto policy = iam::get_policy(context.world.iam, text_copy(input, "PolicyArn"));
  if (!policy) return to_error(context, policy.error());
  return answer_tags(context, policy->tags, input, output);
}

constexpr Entry entries[] = {
    {"CreatePolicy", create_policy},
    {"GetPolicy", get_policy},
    {"DeletePolicy", delete_policy},
    {"ListPolicies", list_policies},
    {"CreatePolicyVersion", create_policy_version},
    {"GetPolicyVersion", get_policy_version},
    {"DeletePolicyVersion", delete_policy_version},
    {"SetDefaultPolicyVersion", set_default_policy_version},
    {"ListPolicyVersions", list_policy_versions},
    {"TagPolicy", tag_policy},
    {"UntagPolicy", untag_policy},
    {"ListPolicyTags", list_policy_tags},
};

}  // namespace

Entries iam_policies() { return entries; }

}  // namespace gnomon::operations
