// CreateDynamicThingGroup, UpdateDynamicThingGroup, DeleteDynamicThingGroup.
#include <boost/json.hpp>

#include "fleet/question.h"
#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "operations/iot_groups.h"
#include "operations/iot_index.h"
#include "registry/thing_groups.h"

namespace gnomon::operations {
namespace {

// Groups of groups there are none, as in AWS.
std::optional<api::ApiError> check_query(Context& context, const json::Value& input) {
  if (auto bad = check_query_version(input)) return bad;
  const auto name = index_name(input);
  if (!name) return name.error();
  if (*name != fleet::things_index)
    return refuse("A dynamic thing group is of the index AWS_Things.");
  if (member(input, "queryString") == nullptr) return std::nullopt;
  auto checked = fleet::check_query(context.world.registry, text(input, "queryString"));
  if (!checked) return to_error(checked.error());
  return std::nullopt;
}

Outcome create_dynamic_thing_group(Context& context, const json::Value& input,
                                   json::Value& output) {
  if (auto bad = check_query(context, input)) return *bad;
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  return answer_written(
      registry::create_thing_group(context.world.registry,
                                   {.thing_group_name = text_copy(input, "thingGroupName"),
                                    .parent_group_name = {},
                                    .thing_group_properties = group_properties(input),
                                    .tags = *std::move(tags),
                                    .query = text_copy(input, "queryString")}),
      [&](const registry::CreatedThingGroup& made) {
        output = {{"thingGroupName", made.thing_group_name},
                  {"thingGroupArn", made.thing_group_arn},
                  {"thingGroupId", made.thing_group_id},
                  {"indexName", text_value(fleet::things_index)},
                  {"queryString", text_value(text(input, "queryString"))},
                  {"queryVersion", text_value(query_version)}};
      });
}

Outcome update_dynamic_thing_group(Context& context, const json::Value& input,
                                   json::Value& output) {
  if (auto bad = check_query(context, input)) return *bad;
  return answer_written(
      registry::update_thing_group(context.world.registry,
                                   {.thing_group_name = text_copy(input, "thingGroupName"),
                                    .thing_group_properties = group_properties(input),
                                    .expected_version = expected_version(input),
                                    .dynamic = true,
                                    .query = text_copy(input, "queryString")}),
      [&](std::uint64_t version) { set(output, "version", version); });
}

Outcome delete_dynamic_thing_group(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::delete_thing_group(
      context.world.registry, text_copy(input, "thingGroupName"), expected_version(input), true));
}

constexpr Entry entries[] = {
    {"CreateDynamicThingGroup", create_dynamic_thing_group},
    {"UpdateDynamicThingGroup", update_dynamic_thing_group},
    {"DeleteDynamicThingGroup", delete_dynamic_thing_group},
};

}  // namespace

Entries iot_dynamic_groups() { return entries; }

}  // namespace gnomon::operations
