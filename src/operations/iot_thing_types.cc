// CreateThingType, DescribeThingType, UpdateThingType, DeprecateThingType, DeleteThingType,
// ListThingTypes.
#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/thing_types.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

registry::ThingTypeProperties properties_of(const json::Value& input) {
  registry::ThingTypeProperties properties;
  const json::Value* given = member(input, "thingTypeProperties");
  if (given == nullptr) return properties;
  properties.thing_type_description = maybe_text(*given, "thingTypeDescription");
  if (member(*given, "searchableAttributes") != nullptr) {
    properties.searchable_attributes = texts(*given, "searchableAttributes");
  }
  properties.has_mqtt5_configuration = member(*given, "mqtt5Configuration") != nullptr;
  return properties;
}

bj::value to_json(const registry::ThingTypeProperties& properties) {
  bj::value description, searchable;
  if (properties.thing_type_description) {
    description = text_value(*properties.thing_type_description);
  }
  if (properties.searchable_attributes) {
    searchable = bj::value_from(*properties.searchable_attributes);
  }
  return {{"thingTypeDescription", std::move(description)},
          {"searchableAttributes", std::move(searchable)}};
}

bj::value to_json(const registry::ThingTypeMetadata& metadata) {
  return {{"deprecated", metadata.deprecated},
          {"deprecationDate", or_null(metadata.deprecation_date)},
          {"creationDate", metadata.creation_date.ms}};
}

Outcome create_thing_type(Context& context, const json::Value& input, json::Value& output) {
  auto tags = tags_of(input);
  if (!tags) return tags.error();
  return answer_written(
      registry::create_thing_type(context.world.registry,
                                  {.thing_type_name = text_copy(input, "thingTypeName"),
                                   .thing_type_properties = properties_of(input),
                                   .tags = *std::move(tags)}),
      [&](const registry::CreatedThingType& made) {
        output = {{"thingTypeName", made.thing_type_name},
                  {"thingTypeArn", made.thing_type_arn},
                  {"thingTypeId", made.thing_type_id}};
      });
}

Outcome describe_thing_type(Context& context, const json::Value& input, json::Value& output) {
  return answer_read(
      registry::describe_thing_type(context.world.registry, text(input, "thingTypeName")),
      [&](const registry::ThingTypeDefinition& type) {
        output = {{"thingTypeName", type.thing_type_name},
                  {"thingTypeId", type.thing_type_id},
                  {"thingTypeArn", type.thing_type_arn},
                  {"thingTypeProperties", to_json(type.thing_type_properties)},
                  {"thingTypeMetadata", to_json(type.thing_type_metadata)}};
      });
}

Outcome update_thing_type(Context& context, const json::Value& input, json::Value&) {
  return answer_written(registry::update_thing_type(
      context.world.registry, text_copy(input, "thingTypeName"), properties_of(input)));
}

Outcome deprecate_thing_type(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      registry::deprecate_thing_type(context.world.registry, text_copy(input, "thingTypeName"),
                                     flag(input, "undoDeprecate").value_or(false)));
}

Outcome delete_thing_type(Context& context, const json::Value& input, json::Value&) {
  return answer_written(
      registry::delete_thing_type(context.world.registry, text_copy(input, "thingTypeName")));
}

Outcome list_thing_types(Context& context, const json::Value& input, json::Value& output) {
  return answer_page(
      registry::list_thing_types(context.world.registry, text(input, "thingTypeName"),
                                 page_of(input, by_token)),
      output, "thingTypes", by_token, [](const registry::ThingTypeDefinition& type) -> bj::value {
        return {{"thingTypeName", type.thing_type_name},
                {"thingTypeArn", type.thing_type_arn},
                {"thingTypeProperties", to_json(type.thing_type_properties)},
                {"thingTypeMetadata", to_json(type.thing_type_metadata)}};
      });
}

constexpr Entry entries[] = {
    {"CreateThingType", create_thing_type}, {"DescribeThingType", describe_thing_type},
    {"UpdateThingType", update_thing_type}, {"DeprecateThingType", deprecate_thing_type},
    {"DeleteThingType", delete_thing_type}, {"ListThingTypes", list_thing_types},
};

}  // namespace

Entries iot_thing_types() { return entries; }

}  // namespace gnomon::operations
