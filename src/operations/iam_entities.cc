// What is done to users and roles alike: tags, inline policies.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iam_answer.h"

namespace gnomon::operations {
namespace {

using iam::EntityKind;

template <EntityKind kind>
Outcome tag(Context& context, const json::Value& input, json::Value&) {
  const auto tags = iam_tags_of(context, input);
  if (!tags) return tags.error();
  return answer_written(context, iam::tag_entity(context.world.iam, owner_of(kind, input), *tags));
}

template <EntityKind kind>
Outcome untag(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::untag_entity(context.world.iam, owner_of(kind, input),
                                                   texts(input, "TagKeys")));
}

template <EntityKind kind>
Outcome list_tags(Context& context, const json::Value& input, json::Value& output) {
  const auto entity = iam::get_entity(context.world.iam, owner_of(kind, input));
  if (!entity) return to_error(context, entity.error());
  return answer_tags(context, entity->tags, input, output);
}

template <EntityKind kind>
Outcome put_policy(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      context, iam::put_policy(context.world.iam, owner_of(kind, input),
                               text_copy(input, "PolicyName"), text_copy(input, "PolicyDocument")));
}

template <EntityKind kind>
Outcome get_policy(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      context,
      iam::get_policy(context.world.iam, owner_of(kind, input), text_copy(input, "PolicyName")),
      [&](const std::string& document) {
        set(output, name_member(kind), text_value(text(input, name_member(kind))));
        set(output, "PolicyName", text_value(text(input, "PolicyName")));
        set(output, "PolicyDocument", document_value(document));
      });
}

template <EntityKind kind>
Outcome delete_policy(Context& context, const json::Value& input, json::Value&) {
  return answer_written(context, iam::delete_policy(context.world.iam, owner_of(kind, input),
                                                    text_copy(input, "PolicyName")));
}

template <EntityKind kind>
Outcome list_policies(Context& context, const json::Value& input, json::Value& output) {
  const auto entity = iam::get_entity(context.world.iam, owner_of(kind, input));
  if (!entity) return to_error(context, entity.error());
  std::vector<std::string> names;
  for (const auto& [name, document] : entity->policies) names.push_back(name);
  return answer_page(
      context, iam::cut(names, iam_page_of(input), [](const std::string& name) { return name; }),
      output, "PolicyNames", text_value);
}

constexpr Entry entries[] = {
    {"TagUser", tag<EntityKind::user>},
    {"TagRole", tag<EntityKind::role>},
    {"UntagUser", untag<EntityKind::user>},
    {"UntagRole", untag<EntityKind::role>},
    {"ListUserTags", list_tags<EntityKind::user>},
    {"ListRoleTags", list_tags<EntityKind::role>},
    {"PutUserPolicy", put_policy<EntityKind::user>},
    {"PutRolePolicy", put_policy<EntityKind::role>},
    {"GetUserPolicy", get_policy<EntityKind::user>},
    {"GetRolePolicy", get_policy<EntityKind::role>},
    {"DeleteUserPolicy", delete_policy<EntityKind::user>},
    {"DeleteRolePolicy", delete_policy<EntityKind::role>},
    {"ListUserPolicies", list_policies<EntityKind::user>},
    {"ListRolePolicies", list_policies<EntityKind::role>},
};

}  // namespace

Entries iam_entities() { return entries; }

}  // namespace gnomon::operations
