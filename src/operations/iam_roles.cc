// CreateRole, GetRole, UpdateRole, UpdateRoleDescription, UpdateAssumeRolePolicy, DeleteRole,
// ListRoles.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iam_answer.h"

namespace gnomon::operations {
namespace {

using iam::EntityKind;

std::optional<std::uint64_t> session_seconds(const json::Value& input) {
  const auto seconds = number(input, "MaxSessionDuration");
  if (!seconds) return std::nullopt;
  return static_cast<std::uint64_t>(*seconds);
}

Outcome create_role(Context& context, const json::Value& input, json::Value& output) {
  auto tags = iam_tags_of(context, input);
  if (!tags) return tags.error();
  return answer_written(
      context,
      iam::create_role(context.world.iam,
                       {.name = text_copy(input, "RoleName"),
                        .path = maybe_text(input, "Path").value_or("/"),
                        .trust = text_copy(input, "AssumeRolePolicyDocument"),
                        .description = text_copy(input, "Description"),
                        .max_session_seconds = session_seconds(input).value_or(3600),
                        .tags = *std::move(tags),
                        .boundary = text_copy(input, "PermissionsBoundary")}),
      [&](const iam::Entity& role) {
        output = {{"Role", entity_value(context, EntityKind::role, role, Detail::whole)}};
      });
}

Outcome get_role(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      context, iam::get_entity(context.world.iam, owner_of(EntityKind::role, input)),
      [&](const iam::Entity& role) {
        output = {{"Role", entity_value(context, EntityKind::role, role, Detail::whole)}};
      });
}

Outcome update_role(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context,
                        iam::update_role(context.world.iam, text_copy(input, "RoleName"),
                                         maybe_text(input, "Description"), session_seconds(input)));
}

Outcome update_role_description(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      context,
      iam::update_role(context.world.iam, text_copy(input, "RoleName"),
                       maybe_text(input, "Description"), std::nullopt),
      [&](const iam::Entity& role) {
        output = {{"Role", entity_value(context, EntityKind::role, role, Detail::whole)}};
      });
}

Outcome update_assume_role_policy(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::update_trust(context.world.iam, text_copy(input, "RoleName"),
                                                   text_copy(input, "PolicyDocument")));
}

Outcome delete_role(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context,
                        iam::delete_entity(context.world.iam, owner_of(EntityKind::role, input)));
}

Outcome list_roles(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      context,
      iam::list_entities(context.world.iam, EntityKind::role,
                         maybe_text(input, "PathPrefix").value_or("/"), iam_page_of(input)),
      output, "Roles", [&](const iam::Entity& role) {
        return entity_value(context, EntityKind::role, role, Detail::listed);
      });
}

constexpr Entry entries[] = {
    {"CreateRole", create_role},
    {"GetRole", get_role},
    {"UpdateRole", update_role},
    {"UpdateRoleDescription", update_role_description},
    {"UpdateAssumeRolePolicy", update_assume_role_policy},
    {"DeleteRole", delete_role},
    {"ListRoles", list_roles},
};

}  // namespace

Entries iam_roles() { return entries; }

}  // namespace gnomon::operations
