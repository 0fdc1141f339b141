// Which things are in which groups: AddThingToThingGroup, RemoveThingFromThingGroup,
// UpdateThingGroupsForThing, ListThingsInThingGroup, ListThingGroupsForThing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/page.h"
#include "registry/registry.h"
#include "registry/thing_groups.h"

namespace gnomon::registry {

// A thing and a group, each by its name or its ARN.
struct ThingInThingGroup {
  std::string thing_group_name, thing_group_arn, thing_name, thing_arn;
};
// One that is in it already stays. Errors: resource_not_found; invalid_request (the thing is in 10
// groups, or in another one of the same hierarchy; the names).
Written<Nothing> add_thing_to_thing_group(Registry& registry, const ThingInThingGroup& request);
// One that is not in it is out already. Errors: resource_not_found, invalid_request (the names).
Written<Nothing> remove_thing_from_thing_group(Registry& registry,
                                               const ThingInThingGroup& request);

struct UpdateThingGroupsForThing {
  std::string thing_name;
  std::vector<std::string> thing_groups_to_add, thing_groups_to_remove;
};
// All of it or nothing; out first. Errors: as the two above.
Written<Nothing> update_thing_groups_for_thing(Registry& registry,
                                               const UpdateThingGroupsForThing& request);

struct ListThingsInThingGroup {
  std::string thing_group_name;
  bool recursive = false;  // those in groups below it, too
  PageRequest page;
};
// Names, in their order; of each group before those of the groups below it. Errors:
// resource_not_found, invalid_request (the token).
Reply<Page<std::string>> list_things_in_thing_group(const Registry& registry,
                                                    const ListThingsInThingGroup& request);
// `dynamic`: those that it is in besides, of which the first are listed: ten groups in all. Errors:
// the same.
Reply<Page<GroupNameAndArn>> list_thing_groups_for_thing(
    const Registry& registry, const std::string& thing_name, const PageRequest& page,
    const std::vector<std::string>& dynamic = {});

}  // namespace gnomon::registry
