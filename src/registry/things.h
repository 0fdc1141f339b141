// Things: CreateThing, DescribeThing, UpdateThing, DeleteThing, ListThings. Names and attributes
// have the form that the service model states: the API has checked it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "registry/page.h"
#include "registry/registry.h"

namespace gnomon::registry {

using Attributes = std::map<std::string, std::string>;

struct AttributePayload {
  Attributes attributes;  // one with an empty value is removed
  bool merge = false;     // with those that are there; false: instead of them
};

struct CreateThing {
  std::string thing_name;
  std::string thing_type_name;  // empty: none
  std::optional<AttributePayload> attribute_payload;
  std::string billing_group_name;  // empty: none
};
struct CreatedThing {
  std::string thing_name, thing_arn, thing_id;
};
// A thing that is there with the same type, attributes and billing group is created again without
// an effect. Errors: resource_already_exists (it differs), resource_not_found (type, billing
// group), invalid_request (a deprecated type, too many attributes).
Written<CreatedThing> create_thing(Registry& registry, const CreateThing& request);

struct ThingDescription {
  std::string default_client_id, thing_name, thing_id, thing_arn;
  std::string thing_type_name, billing_group_name;  // empty: none
  Attributes attributes;
  std::uint64_t version = 0;
};
// Errors: resource_not_found.
Reply<ThingDescription> describe_thing(const Registry& registry, std::string_view thing_name);

struct UpdateThing {
  std::string thing_name;
  std::string thing_type_name;  // empty: as it is
  std::optional<AttributePayload> attribute_payload;
  std::optional<std::uint64_t> expected_version;
  bool remove_thing_type = false;
};
// Each update makes the version one more. Errors: resource_not_found (thing, type),
// version_conflict, invalid_request (a deprecated type, too many attributes, a type set and
// removed).
Written<Nothing> update_thing(Registry& registry, const UpdateThing& request);

// Takes it out of its groups, too. One that is not there is deleted already. Errors:
// version_conflict, invalid_request (a principal is attached).
Written<Nothing> delete_thing(Registry& registry, const std::string& thing_name,
                              std::optional<std::uint64_t> expected_version = {});

struct ListThings {
  std::string attribute_name;                  // empty: any
  std::optional<std::string> attribute_value;  // with attribute_name; nullopt: any
  bool use_prefix_attribute_value = false;     // attribute_value is only how it begins
  std::string thing_type_name;                 // empty: any
  PageRequest page;
};
struct ThingAttribute {
  std::string thing_name, thing_type_name, thing_arn;
  Attributes attributes;
  std::uint64_t version = 0;
};
// In the order of the names; with an attribute's prefix in that of the values. Errors:
// invalid_request (a value without a name, the token).
Reply<Page<ThingAttribute>> list_things(const Registry& registry, const ListThings& request);

}  // namespace gnomon::registry
