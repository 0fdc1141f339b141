// Commands of case files: things, types, groups, billing groups, tags, event configurations.
#pragma once

#include "registry/case_world.h"

namespace gnomon::registry {

World::Handlers thing_commands();

}  // namespace gnomon::registry
