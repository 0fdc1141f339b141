// Thing groups: CreateThingGroup, DescribeThingGroup, UpdateThingGroup, DeleteThingGroup,
// ListThingGroups, and the same of dynamic ones, which have a query. Which things are in static
// ones is in memberships.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "registry/page.h"
#include "registry/registry.h"
#include "registry/tags.h"
#include "registry/things.h"

namespace gnomon::registry {

struct GroupNameAndArn {
  std::string group_name, group_arn;
};

struct ThingGroupProperties {
  std::optional<std::string> thing_group_description;
  std::optional<AttributePayload> attribute_payload;
};

struct CreateThingGroup {
  std::string thing_group_name;
  std::string parent_group_name;  // empty: it is a root
  ThingGroupProperties thing_group_properties;
  Tags tags;
  std::string query{};  // of a dynamic group, which is a root; empty: it is static
};
struct CreatedThingGroup {
  std::string thing_group_name, thing_group_arn, thing_group_id;
};
// One that is there with the same parent, properties and query is created again without an effect.
// Errors: resource_already_exists (it differs); invalid_request (there is no such parent, it has
// 100 children or is dynamic, the eighth level, more than 50 attributes, tags); limit_exceeded
// (dynamic groups).
Written<CreatedThingGroup> create_thing_group(Registry& registry, const CreateThingGroup& request);

struct ThingGroupDescription {
  std::string thing_group_name, thing_group_arn, thing_group_id;
  std::uint64_t version = 0;
  std::string thing_group_description;  // empty: none
  Attributes attributes;
  std::string parent_group_name;                             // empty: it is a root
  std::vector<GroupNameAndArn> root_to_parent_thing_groups;  // the parent last
  WallTime creation_date;
  std::string query;  // empty: it is static
};
// Errors: resource_not_found.
Reply<ThingGroupDescription> describe_thing_group(const Registry& registry, std::string_view name);

struct UpdateThingGroup {
  std::string thing_group_name;
  ThingGroupProperties thing_group_properties;  // what is given is changed
  std::optional<std::uint64_t> expected_version;
  bool dynamic = false;  // the kind of group that is meant
  std::string query{};   // of a dynamic one; empty: as it is
};
// Returns the new version. Errors: resource_not_found, version_conflict, invalid_request (more than
// 50 attributes, one of the other kind).
Written<std::uint64_t> update_thing_group(Registry& registry, const UpdateThingGroup& request);

// Its things are in it no more, and its policies hold for them no more. One that is not there is
// deleted already. Errors: version_conflict, invalid_request (it has child groups, or is of the
// other kind).
Written<Nothing> delete_thing_group(Registry& registry, const std::string& name,
                                    std::optional<std::uint64_t> expected_version = {},
                                    bool dynamic = false);

struct ListThingGroups {
  std::string parent_group;        // empty: any
  std::string name_prefix_filter;  // empty: any
  // With a parent: its children's children, too (false if not given). Without: false for roots
  // only.
  std::optional<bool> recursive;
  PageRequest page;
};
// In the order of the names; below a parent each group before its children. Errors:
// resource_not_found (the parent), invalid_request (the token).
Reply<Page<GroupNameAndArn>> list_thing_groups(const Registry& registry,
                                               const ListThingGroups& request);

}  // namespace gnomon::registry
