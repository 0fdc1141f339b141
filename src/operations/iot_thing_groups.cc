// CreateThingGroup, DescribeThingGroup, UpdateThingGroup, DeleteThingGroup, ListThingGroups,
// AddThingToThingGroup, RemoveThingFromThingGroup, UpdateThingGroupsForThing,
// ListThingGroupsForThing, ListThingsInThingGroup.
#include <boost/json.hpp>

#include "fleet/question.h"
#include "fleet/search.h"
#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "operations/iot_groups.h"
#include "operations/iot_index.h"
#include "registry/memberships.h"
#include "registry/thing_groups.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

bj::value to_json(const registry::GroupNameAndArn& group) {
  return {{"groupName", group.group_name}, {"groupArn", group.group_arn}};
}

// Of a group without attributes AWS tells no payload, and of a root no ancestors.
bj::value properties_to_json(const registry::ThingGroupDescription& group) {
  bj::value payload;
  if (!group.attributes.empty()) payload = {{"attributes", bj::value_from(group.attributes)}};
  return {{"thingGroupDescription", or_null(group.thing_group_description)},
          {"attributePayload", std::move(payload)}};
}

bj::value metadata_to_json(const registry::ThingGroupDescription& group) {
  bj::value ancestors;
  if (!group.root_to_parent_thing_groups.empty()) {
    ancestors = bj::array();
    for (const auto& one : group.root_to_parent_thing_groups) append(ancestors, to_json(one));
  }
  return {{"parentGroupName", or_null(group.parent_group_name)},
          {"rootToParentThingGroups", std::move(ancestors)},
          {"creationDate", group.creation_date.ms}};
}

Outcome create_thing_group(Context& context, const json::Value& input, json::Value& output) {
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  return answer_written(
      registry::create_thing_group(context.world.registry,
                                   {.thing_group_name = text_copy(input, "thingGroupName"),
                                    .parent_group_name = text_copy(input, "parentGroupName"),
                                    .thing_group_properties = group_properties(input),
                                    .tags = *std::move(tags)}),
      [&](const registry::CreatedThingGroup& made) {
        output = {{"thingGroupName", made.thing_group_name},
                  {"thingGroupArn", made.thing_group_arn},
                  {"thingGroupId", made.thing_group_id}};
      });
}

Outcome describe_thing_group(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      registry::describe_thing_group(context.world.registry, text(input, "thingGroupName")),
      [&](const registry::ThingGroupDescription& group) {
        output = {{"thingGroupName", group.thing_group_name},
                  {"thingGroupId", group.thing_group_id},
                  {"thingGroupArn", group.thing_group_arn},
                  {"version", group.version},
                  {"thingGroupProperties", properties_to_json(group)},
                  {"thingGroupMetadata", metadata_to_json(group)}};
        if (!group.query.empty()) {
          set(output, "indexName", text_value(fleet::things_index));
          set(output, "queryString", text_value(group.query));
          set(output, "queryVersion", text_value(query_version));
          set(output, "status", "ACTIVE");
        }
      });
}

Outcome update_thing_group(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      registry::update_thing_group(context.world.registry,
                                   {.thing_group_name = text_copy(input, "thingGroupName"),
                                    .thing_group_properties = group_properties(input),
                                    .expected_version = expected_version(input)}),
      [&](std::uint64_t version) { set(output, "version", version); });
}

Outcome delete_thing_group(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::delete_thing_group(
      context.world.registry, text_copy(input, "thingGroupName"), expected_version(input)));
}

Outcome list_thing_groups(Context& context, const json::Value& input, json::Value& output) {
  const registry::ListThingGroups request{
      .parent_group = text_copy(input, "parentGroup"),
      .name_prefix_filter = text_copy(input, "namePrefixFilter"),
      .recursive = flag(input, "recursive"),
      .page = page_of(input, by_token)};
  return answer_page(registry::list_thing_groups(context.world.registry, request), output,
                     "thingGroups", by_token, to_json);
}

registry::ThingInThingGroup pair_of(const json::Value& input) {
  return {.thing_group_name = text_copy(input, "thingGroupName"),
          .thing_group_arn = text_copy(input, "thingGroupArn"),
          .thing_name = text_copy(input, "thingName"),
          .thing_arn = text_copy(input, "thingArn")};
}

// Which dynamic groups a thing is in is seen when somebody asks: they never keep it out of a static
// one, so overrideDynamicGroups has nothing to override, here and below.
Outcome add_thing_to_thing_group(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::add_thing_to_thing_group(context.world.registry, pair_of(input)));
}

Outcome remove_thing_from_thing_group(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      registry::remove_thing_from_thing_group(context.world.registry, pair_of(input)));
}

Outcome update_thing_groups_for_thing(Context& context, const json::Value& input, json::Value&) {
  if (member(input, "thingName") == nullptr) return refuse("thingName must be given.");
  return answer_written(registry::update_thing_groups_for_thing(
      context.world.registry, {.thing_name = text_copy(input, "thingName"),
                               .thing_groups_to_add = texts(input, "thingGroupsToAdd"),
                               .thing_groups_to_remove = texts(input, "thingGroupsToRemove")}));
}

// With the dynamic ones behind them, ten in all.
Outcome list_thing_groups_for_thing(Context& context, const json::Value& input,
                                    json::Value& output) {
  const registry::Registry& registry = context.world.registry;
  const std::string name = text_copy(input, "thingName");
  const auto dynamic = fleet::dynamic_groups_of(registry, name);
  if (!dynamic) return to_error(dynamic.error());
  return answer_page(
      registry::list_thing_groups_for_thing(registry, name, page_of(input, by_token), *dynamic),
      output, "thingGroups", by_token, to_json);
}

// The things of a dynamic group are those that its query finds now.
Outcome list_dynamic_things(Context& context, const std::string& query, const json::Value& input,
                            json::Value& output) {
  const registry::PageRequest page = page_of(input, by_token);
  const auto limit = registry::limit_of(page);
  if (!limit) return to_error(limit.error());
  return answer_page(fleet::search_things(context.world.registry, {query, *limit, page.token}),
                     output, "things", by_token,
                     [](const fleet::FoundThing& found) { return text_value(found.name); });
}

Outcome list_things_in_thing_group(Context& context, const json::Value& input,
                                   json::Value& output) {
  const std::string name = text_copy(input, "thingGroupName");
  const auto group = registry::describe_thing_group(context.world.registry, name);
  if (!group) return to_error(group.error());
  if (!group->query.empty()) return list_dynamic_things(context, group->query, input, output);
  const registry::ListThingsInThingGroup request{
      .thing_group_name = name,
      .recursive = flag(input, "recursive").value_or(false),
      .page = page_of(input, by_token)};
  return answer_page(registry::list_things_in_thing_group(context.world.registry, request), output,
                     "things", by_token);
}

constexpr Entry entries[] = {
    {"CreateThingGroup", create_thing_group},
    {"DescribeThingGroup", describe_thing_group},
    {"UpdateThingGroup", update_thing_group},
    {"DeleteThingGroup", delete_thing_group},
    {"ListThingGroups", list_thing_groups},
    {"AddThingToThingGroup", add_thing_to_thing_group},
    {"RemoveThingFromThingGroup", remove_thing_from_thing_group},
    {"UpdateThingGroupsForThing", update_thing_groups_for_thing},
    {"ListThingGroupsForThing", list_thing_groups_for_thing},
    {"ListThingsInThingGroup", list_things_in_thing_group},
};

}  // namespace

registry::ThingGroupProperties group_properties(const json::Value& input) {
  return {
      .thing_group_description = maybe_text(input, "thingGroupProperties.thingGroupDescription"),
      .attribute_payload = attributes_of(input, "thingGroupProperties.attributePayload")};
}

Entries iot_thing_groups() { return entries; }

}  // namespace gnomon::operations
