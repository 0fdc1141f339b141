// What managed policies are attached to, and what they are the boundary of.
#include <boost/json.hpp>

#include "iam/policies.h"
#include "operations/handlers.h"
#include "operations/iam_answer.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;
using iam::EntityKind;

template <EntityKind kind>
Outcome attach(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::attach(context.world.iam, owner_of(kind, input),
                                             text_copy(input, "PolicyArn")));
}

template <EntityKind kind>
Outcome detach(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::detach(context.world.iam, owner_of(kind, input),
                                             text_copy(input, "PolicyArn")));
}

// "arn:aws:iam::123456789012:policy/path/name": what follows "policy", up to the name, and that.
std::string_view name_of(std::string_view arn) { return arn.substr(arn.rfind('/') + 1); }
std::string_view path_of(std::string_view arn) {
  arn.remove_prefix(arn.find('/'));
  return arn.substr(0, arn.rfind('/') + 1);
}

template <EntityKind kind>
Outcome list_attached(Context& context, const json::Value& input, json::Value& output) {
  const auto entity = iam::get_entity(context.world.iam, owner_of(kind, input));
  if (!entity) return to_error(context, entity.error());
  const std::string prefix = maybe_text(input, "PathPrefix").value_or("/");
  std::vector<std::string> arns = entity->attached;
  std::erase_if(arns, [&](const std::string& arn) { return !path_of(arn).starts_with(prefix); });
  return answer_page(context,
                     iam::cut(arns, iam_page_of(input), [](const std::string& arn) { return arn; }),
                     output, "AttachedPolicies", [](const std::string& arn) -> bj::value {
                       return {{"PolicyName", name_of(arn)}, {"PolicyArn", arn}};
                     });
}

template <EntityKind kind>
Outcome put_boundary(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::set_boundary(context.world.iam, owner_of(kind, input),
                                                   text_copy(input, "PermissionsBoundary")));
}

template <EntityKind kind>
Outcome delete_boundary(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::set_boundary(context.world.iam, owner_of(kind, input), ""));
}

// Whether the filters of the request let a user or role through.
bool is_asked_for(const json::Value& input, const iam::PolicyUse& use) {
  const std::string_view kind = text(input, "EntityFilter");
  const std::string_view usage = text(input, "PolicyUsageFilter");
  if (!kind.empty() && kind != (use.kind == EntityKind::user ? "User" : "Role")) return false;
  if (!use.path.starts_with(maybe_text(input, "PathPrefix").value_or("/"))) return false;
  if (usage == "PermissionsPolicy") return use.attached;
  if (usage == "PermissionsBoundary") return use.boundary;
  return true;
}

Outcome list_entities_for_policy(Context& context, const json::Value& input, json::Value& output) {
  auto uses = iam::list_uses(context.world.iam, text_copy(input, "PolicyArn"));
  if (!uses) return to_error(context, uses.error());
  std::erase_if(*uses, [&](const iam::PolicyUse& use) { return !is_asked_for(input, use); });
  const auto page = iam::cut(*uses, iam_page_of(input), [](const iam::PolicyUse& use) {
    return (use.kind == EntityKind::user ? 'u' : 'v') + use.id;
  });
  if (!page) return to_error(context, page.error());
  begin_list(output, "PolicyGroups");
  for (const EntityKind kind : {EntityKind::user, EntityKind::role}) {
    const bool user = kind == EntityKind::user;
    json::Value& list = begin_list(output, user ? "PolicyUsers" : "PolicyRoles");
    for (const iam::PolicyUse& use : page->items) {
      if (use.kind != kind) continue;
      append(list, {{name_member(kind), use.name}, {user ? "UserId" : "RoleId", use.id}});
    }
  }
  set_marker(output, page->marker);
  return Done{};
}

constexpr Entry entries[] = {
    {"AttachUserPolicy", attach<EntityKind::user>},
    {"AttachRolePolicy", attach<EntityKind::role>},
    {"DetachUserPolicy", detach<EntityKind::user>},
    {"DetachRolePolicy", detach<EntityKind::role>},
    {"ListAttachedUserPolicies", list_attached<EntityKind::user>},
    {"ListAttachedRolePolicies", list_attached<EntityKind::role>},
    {"ListEntitiesForPolicy", list_entities_for_policy},
    {"PutUserPermissionsBoundary", put_boundary<EntityKind::user>},
    {"PutRolePermissionsBoundary", put_boundary<EntityKind::role>},
    {"DeleteUserPermissionsBoundary", delete_boundary<EntityKind::user>},
    {"DeleteRolePermissionsBoundary", delete_boundary<EntityKind::role>},
};

}  // namespace

Entries iam_attachments() { return entries; }

}  // namespace gnomon::operations
