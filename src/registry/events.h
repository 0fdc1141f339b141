// The registry's events: topics and payloads as AWS IoT publishes them (Developer Guide, "Registry
// events"). Each is announced if its type is enabled. Internal to the module.
#pragma once

#include <cstdint>
#include <string_view>

#include "registry/change.h"
#include "registry/stored.h"

namespace gnomon::registry {

enum class Operation : std::uint8_t { created, updated, deleted };

// $aws/events/thing/NAME/created and so on.
void announce_thing(Change& change, Operation operation, std::string_view name,
                    const stored::Thing& thing);
void announce_type(Change& change, Operation operation, std::string_view name,
                   const stored::ThingType& type);
void announce_group(Change& change, Operation operation, std::string_view name,
                    const stored::Group& group);
// $aws/events/thingTypeAssociation/thing/THING/thingType/TYPE/added or removed.
void announce_type_association(Change& change, bool added, std::string_view name,
                               const stored::Thing& thing, std::string_view type);
// $aws/events/thingGroupMembership/thingGroup/GROUP/thing/THING/added or removed.
void announce_membership(Change& change, bool added, const stored::GroupRef& group,
                         std::string_view thing_name, const stored::Thing& thing);
// $aws/events/thingGroupHierarchy/thingGroup/PARENT/childThingGroup/CHILD/added or removed.
void announce_hierarchy(Change& change, bool added, const stored::GroupRef& parent,
                        const stored::GroupRef& child);

}  // namespace gnomon::registry
