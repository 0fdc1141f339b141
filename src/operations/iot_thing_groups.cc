// CreateThingGroup, DescribeThingGroup, UpdateThingGroup, DeleteThingGroup, ListThingGroups,
// AddThingToThingGroup, RemoveThingFromThingGroup, UpdateThingGroupsForThing,
// ListThingGroupsForThing, ListThingsInThingGroup.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/memberships.h"
#include "registry/thing_groups.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

registry::ThingGroupProperties properties_of(const json::Value& input) {
  return {
      .thing_group_description = maybe_text(input, "thingGroupProperties.thingGroupDescription"),
      .attribute_payload = attributes_of(input, "thingGroupProperties.attributePayload")};
}

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
                                    .thing_group_properties = properties_of(input),
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
      });
}

Outcome update_thing_group(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      registry::update_thing_group(context.world.registry,
                                   {.thing_group_name = text_copy(input, "thingGroupName"),
                                    .thing_group_properties = properties_of(input),
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

// There are no dynamic groups, so overrideDynamicGroups has none to override, here and below.
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

Outcome list_thing_groups_for_thing(Context& context, const json::Value& input,
                                    json::Value& output) {
  return answer_page(
      registry::list_thing_groups_for_thing(context.world.registry, text_copy(input, "thingName"),
                                            page_of(input, by_token)),
      output, "thingGroups", by_token, to_json);
}

Outcome list_things_in_thing_group(Context& context, const json::Value& input,
                                   json::Value& output) {
  const registry::ListThingsInThingGroup request{
      .thing_group_name = text_copy(input, "thingGroupName"),
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

Entries iot_thing_groups() { return entries; }

}  // namespace gnomon::operations
