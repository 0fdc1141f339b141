// CreateThing, DescribeThing, UpdateThing, DeleteThing, ListThings.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/things.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

Outcome create_thing(Context& context, const json::Value& input, json::Value& output) {
  return answer_written(
      registry::create_thing(context.world.registry,
                             {.thing_name = text_copy(input, "thingName"),
                              .thing_type_name = text_copy(input, "thingTypeName"),
                              .attribute_payload = attributes_of(input, "attributePayload"),
                              .billing_group_name = text_copy(input, "billingGroupName")}),
      [&](const registry::CreatedThing& made) {
        output = {{"thingName", made.thing_name},
                  {"thingArn", made.thing_arn},
                  {"thingId", made.thing_id}};
      });
}

Outcome describe_thing(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(registry::describe_thing(context.world.registry, text(input, "thingName")),
                     [&](const registry::ThingDescription& thing) {
                       output = {{"defaultClientId", thing.default_client_id},
                                 {"thingName", thing.thing_name},
                                 {"thingId", thing.thing_id},
                                 {"thingArn", thing.thing_arn},
                                 {"thingTypeName", or_null(thing.thing_type_name)},
                                 {"attributes", bj::value_from(thing.attributes)},
                                 {"version", thing.version},
                                 {"billingGroupName", or_null(thing.billing_group_name)}};
                     });
}

Outcome update_thing(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::update_thing(
      context.world.registry,
      {.thing_name = text_copy(input, "thingName"),
       .thing_type_name = text_copy(input, "thingTypeName"),
       .attribute_payload = attributes_of(input, "attributePayload"),
       .expected_version = expected_version(input),
       .remove_thing_type = flag(input, "removeThingType").value_or(false)}));
}

Outcome delete_thing(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::delete_thing(
      context.world.registry, text_copy(input, "thingName"), expected_version(input)));
}

Outcome list_things(Context& context, const json::Value& input, json::Value& output) {
  const registry::ListThings request{
      .attribute_name = text_copy(input, "attributeName"),
      .attribute_value = maybe_text(input, "attributeValue"),
      .use_prefix_attribute_value = flag(input, "usePrefixAttributeValue").value_or(false),
      .thing_type_name = text_copy(input, "thingTypeName"),
      .page = page_of(input, by_token)};
  return answer_page(registry::list_things(context.world.registry, request), output, "things",
                     by_token, [](const registry::ThingAttribute& thing) -> bj::value {
                       return {{"thingName", thing.thing_name},
                               {"thingTypeName", or_null(thing.thing_type_name)},
                               {"thingArn", thing.thing_arn},
                               {"attributes", bj::value_from(thing.attributes)},
                               {"version", thing.version}};
                     });
}

constexpr Entry entries[] = {
    {"CreateThing", create_thing}, {"DescribeThing", describe_thing}, {"UpdateThing", update_thing},
    {"DeleteThing", delete_thing}, {"ListThings", list_things},
};

}  // namespace

Entries iot_things() { return entries; }

}  // namespace gnomon::operations
