// What the operations on static and dynamic thing groups have in common. Internal to the module.
#pragma once

#include "json/json.h"
#include "registry/thing_groups.h"

namespace gnomon::operations {

// The member "thingGroupProperties".
[[nodiscard]] registry::ThingGroupProperties group_properties(const json::Value& input);

}  // namespace gnomon::operations
