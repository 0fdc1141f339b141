// The policies that a folder has from its first start on, so that they can be seen and edited.
#pragma once

#include "registry/registry.h"

namespace gnomon::identity {

// Their names. Each allows iot:* on everything; deleted or detached it allows nothing.
constexpr const char* local_policy = "gnomon-local";      // attached to gnomon:local
constexpr const char* users_policy = "gnomon-users";      // attached to gnomon:users
constexpr const char* devices_policy = "gnomon-devices";  // to devices that `gnomon device` made

// Makes and attaches them, once in the life of a folder: a start that was interrupted is made good
// by the next. Errors: service_unavailable.
registry::Reply<registry::Nothing> make_policies(registry::Registry& registry);

}  // namespace gnomon::identity
