#include "operations/iam_answer.h"

#include <boost/json.hpp>

#include "api/uri.h"

namespace gnomon::operations {

namespace bj = boost::json;

namespace {

std::string_view name_of(iam::Kind kind) {
  switch (kind) {
    case iam::Kind::delete_conflict:
      return "DeleteConflictException";
    case iam::Kind::entity_already_exists:
      return "EntityAlreadyExistsException";
    case iam::Kind::invalid_input:
      return "InvalidInputException";
    case iam::Kind::limit_exceeded:
      return "LimitExceededException";
    case iam::Kind::malformed_policy:
      return "MalformedPolicyDocumentException";
    case iam::Kind::no_such_entity:
      return "NoSuchEntityException";
    case iam::Kind::packed_policy_too_large:
      return "PackedPolicyTooLargeException";
    case iam::Kind::policy_not_attachable:
      return "PolicyNotAttachableException";
    case iam::Kind::denied:
    case iam::Kind::unavailable:
    case iam::Kind::validation:
      break;
  }
  return {};
}

}  // namespace

api::ApiError to_error(const Context& context, const iam::Failure& failure) {
  const api::Service& service = *context.operation.service;
  const std::string_view name = name_of(failure.kind);
  if (api::error_named(service, name) != nullptr)
    return api::modelled_error(service, name, failure.message);
  api::Fault fault = api::Fault::unavailable;
  if (failure.kind == iam::Kind::denied) fault = api::Fault::denied;
  if (failure.kind == iam::Kind::validation || !name.empty()) fault = api::Fault::invalid;
  return api::common_error(service, fault, failure.message);
}

void set_marker(json::Value& output, std::string_view marker) {
  set(output, "IsTruncated", !marker.empty());
  set(output, "Marker", or_null(marker));
}

iam::PageRequest iam_page_of(const json::Value& input) {
  return {static_cast<int>(number(input, "MaxItems").value_or(0)), text_copy(input, "Marker")};
}

Result<iam::Tags, api::ApiError> iam_tags_of(const Context& context, const json::Value& input) {
  iam::Tags tags;
  const json::Value* list = member(input, "Tags");
  if (list == nullptr) return tags;
  for (const json::Value& tag : list->as_array()) {
    if (!tags.emplace(text_copy(tag, "Key"), text(tag, "Value")).second) {
      return to_error(context, {iam::Kind::invalid_input,
                                "Duplicate tag keys found. Please note that Tag keys are case "
                                "insensitive."});
    }
  }
  return tags;
}

json::Value tag_list(const iam::Tags& tags) {
  bj::array list;
  for (const auto& [name, value] : tags) list.push_back({{"Key", name}, {"Value", value}});
  return list;
}

Outcome answer_tags(const Context& context, const iam::Tags& tags, const json::Value& input,
                    json::Value& output) {
  const std::vector<std::pair<std::string, std::string>> all(tags.begin(), tags.end());
  return answer_page(context,
                     iam::cut(all, iam_page_of(input), [](const auto& one) { return one.first; }),
                     output, "Tags", [](const auto& one) -> json::Value {
                       return {{"Key", one.first}, {"Value", one.second}};
                     });
}

std::string_view name_member(iam::EntityKind kind) {
  return kind == iam::EntityKind::user ? "UserName" : "RoleName";
}

iam::Owner owner_of(iam::EntityKind kind, const json::Value& input) {
  return {kind, text_copy(input, name_member(kind))};
}

Result<std::string, api::ApiError> user_or_caller(const Context& context,
                                                  const json::Value& input) {
  std::string name = text_copy(input, "UserName");
  if (name.empty()) name = context.caller.user_name;
  if (!name.empty()) return name;
  return to_error(context, {iam::Kind::validation,
                            "Must specify userName when calling with non-User credentials"});
}

json::Value document_value(std::string_view document) {
  return text_value(api::percent_encode(document));
}

json::Value entity_value(const Context& context, iam::EntityKind kind, const iam::Entity& entity,
                         Detail detail) {
  const bool user = kind == iam::EntityKind::user;
  bj::object value{{"Path", entity.path},
                   {name_member(kind), entity.name},
                   {user ? "UserId" : "RoleId", entity.id},
                   {"Arn", iam::arn(context.world.iam, kind, entity)},
                   {"CreateDate", entity.created.ms}};
  if (!user) {
    value["AssumeRolePolicyDocument"] = document_value(entity.trust);
    if (!entity.description.empty()) value["Description"] = entity.description;
    value["MaxSessionDuration"] = entity.max_session_seconds;
  }
  if (detail == Detail::listed) return value;
  if (!entity.tags.empty()) value["Tags"] = tag_list(entity.tags);
  if (!entity.boundary.empty()) {
    value["PermissionsBoundary"] = {{"PermissionsBoundaryType", "Policy"},
                                    {"PermissionsBoundaryArn", entity.boundary}};
  }
  return value;
}

}  // namespace gnomon::operations
