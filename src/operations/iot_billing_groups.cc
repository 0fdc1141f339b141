// CreateBillingGroup, DescribeBillingGroup, UpdateBillingGroup, DeleteBillingGroup,
// ListBillingGroups, AddThingToBillingGroup, RemoveThingFromBillingGroup, ListThingsInBillingGroup.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/billing_groups.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

constexpr std::string_view description = "billingGroupProperties.billingGroupDescription";

Outcome create_billing_group(Context& context, const json::Value& input, json::Value& output) {
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  return answer_written(
      registry::create_billing_group(context.world.registry,
                                     {.billing_group_name = text_copy(input, "billingGroupName"),
                                      .billing_group_description = text_copy(input, description),
                                      .tags = *std::move(tags)}),
      [&](const registry::CreatedBillingGroup& made) {
        output = {{"billingGroupName", made.billing_group_name},
                  {"billingGroupArn", made.billing_group_arn},
                  {"billingGroupId", made.billing_group_id}};
      });
}

Outcome describe_billing_group(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      registry::describe_billing_group(context.world.registry, text(input, "billingGroupName")),
      [&](const registry::BillingGroupDescription& group) {
        bj::object properties{
            {"billingGroupDescription", or_null(group.billing_group_description)}};
        bj::object metadata{{"creationDate", group.creation_date.ms}};
        output = {{"billingGroupName", group.billing_group_name},
                  {"billingGroupId", group.billing_group_id},
                  {"billingGroupArn", group.billing_group_arn},
                  {"version", group.version},
                  {"billingGroupProperties", std::move(properties)},
                  {"billingGroupMetadata", std::move(metadata)}};
      });
}

Outcome update_billing_group(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      registry::update_billing_group(context.world.registry,
                                     {.billing_group_name = text_copy(input, "billingGroupName"),
                                      .billing_group_description = maybe_text(input, description),
                                      .expected_version = expected_version(input)}),
      [&](std::uint64_t version) { set(output, "version", version); });
}

Outcome delete_billing_group(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::delete_billing_group(
      context.world.registry, text_copy(input, "billingGroupName"), expected_version(input)));
}

Outcome list_billing_groups(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      registry::list_billing_groups(context.world.registry, text(input, "namePrefixFilter"),
                                    page_of(input, by_token)),
      output, "billingGroups", by_token, [](const registry::GroupNameAndArn& group) -> bj::value {
        return {{"groupName", group.group_name}, {"groupArn", group.group_arn}};
      });
}

registry::ThingInBillingGroup pair_of(const json::Value& input) {
  return {.billing_group_name = text_copy(input, "billingGroupName"),
          .billing_group_arn = text_copy(input, "billingGroupArn"),
          .thing_name = text_copy(input, "thingName"),
          .thing_arn = text_copy(input, "thingArn")};
}

Outcome add_thing_to_billing_group(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      registry::add_thing_to_billing_group(context.world.registry, pair_of(input)));
}

Outcome remove_thing_from_billing_group(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      registry::remove_thing_from_billing_group(context.world.registry, pair_of(input)));
}

Outcome list_things_in_billing_group(Context& context, const json::Value& input,
                                     json::Value& output) {
  return answer_page(
      registry::list_things_in_billing_group(
          context.world.registry, text(input, "billingGroupName"), page_of(input, by_token)),
      output, "things", by_token);
}

constexpr Entry entries[] = {
    {"CreateBillingGroup", create_billing_group},
    {"DescribeBillingGroup", describe_billing_group},
    {"UpdateBillingGroup", update_billing_group},
    {"DeleteBillingGroup", delete_billing_group},
    {"ListBillingGroups", list_billing_groups},
    {"AddThingToBillingGroup", add_thing_to_billing_group},
    {"RemoveThingFromBillingGroup", remove_thing_from_billing_group},
    {"ListThingsInBillingGroup", list_things_in_billing_group},
};

}  // namespace

Entries iot_billing_groups() { return entries; }

}  // namespace gnomon::operations
