// Thing types: CreateThingType, DescribeThingType, UpdateThingType, DeprecateThingType,
// DeleteThingType, ListThingTypes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "registry/page.h"
#include "registry/registry.h"
#include "registry/tags.h"

namespace gnomon::registry {

struct ThingTypeProperties {
  std::optional<std::string> thing_type_description;
  std::optional<std::vector<std::string>> searchable_attributes;
  // What MQTT 5 user properties carry of a thing is not built: it is refused.
  bool has_mqtt5_configuration = false;
};
struct ThingTypeMetadata {
  bool deprecated = false;
  WallTime deprecation_date;  // 0: it is not
  WallTime creation_date;
};
struct ThingTypeDefinition {
  std::string thing_type_name, thing_type_arn, thing_type_id;
  ThingTypeProperties thing_type_properties;
  ThingTypeMetadata thing_type_metadata;
};

struct CreateThingType {
  std::string thing_type_name;
  ThingTypeProperties thing_type_properties;
  Tags tags;
};
struct CreatedThingType {
  std::string thing_type_name, thing_type_arn, thing_type_id;
};
// One that is there with the same properties is created again without an effect. Errors:
// resource_already_exists (it differs), invalid_request (more than three searchable attributes, an
// mqtt5Configuration, tags).
Written<CreatedThingType> create_thing_type(Registry& registry, const CreateThingType& request);

// Errors: resource_not_found.
Reply<ThingTypeDefinition> describe_thing_type(const Registry& registry, std::string_view name);

// Changes those properties that are given. Errors: resource_not_found, invalid_request as above.
Written<Nothing> update_thing_type(Registry& registry, const std::string& name,
                                   const ThingTypeProperties& properties);

// No thing gets a deprecated type any more; those that have it keep it. Errors: resource_not_found.
Written<Nothing> deprecate_thing_type(Registry& registry, const std::string& name, bool undo);

// Errors: resource_not_found; invalid_request (not deprecated for five minutes, things have it).
Written<Nothing> delete_thing_type(Registry& registry, const std::string& name);

// In the order of the names; `name`: only this one, empty: all. Errors: invalid_request (the
// token).
Reply<Page<ThingTypeDefinition>> list_thing_types(const Registry& registry, std::string_view name,
                                                  const PageRequest& page);

}  // namespace gnomon::registry
