// The commands of case files.
#pragma once

#include "registry/case_world.h"

namespace gnomon::registry {

// Things, types, groups, billing groups, tags, event configurations (things_test.cc).
World::Handlers thing_commands();
// These, and certificates, CA certificates, principals of things (certificates_test.cc).
World::Handlers certificate_commands();
// These, and policies with what they are attached to (policies_test.cc): all.
World::Handlers policy_commands();

}  // namespace gnomon::registry
