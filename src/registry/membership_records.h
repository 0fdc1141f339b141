// Memberships in the store. Internal to the module.
#pragma once

#include <string>
#include <vector>

#include "registry/change.h"
#include "registry/stored.h"

namespace gnomon::registry {

// As stored; load_memberships() leaves out those of groups that are gone.
[[nodiscard]] std::vector<stored::Membership> stored_memberships(records::Transaction& records,
                                                                 const std::string& thing_name);
[[nodiscard]] std::vector<stored::Membership> load_memberships(records::Transaction& records,
                                                               const std::string& thing_name);
// Of a thing that is deleted.
void leave_all_groups(Change& change, const std::string& thing_name, const stored::Thing& thing);

}  // namespace gnomon::registry
