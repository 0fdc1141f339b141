// Postings of things in the store. Internal to the module.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "registry/change.h"
#include "registry/stored.h"

namespace gnomon::registry {

// Whether things are indexed: a condition of the change, so that none is missed when it begins.
[[nodiscard]] bool is_indexed(records::Transaction& records);
// Adds the postings of what the record of a thing says.
void add_postings(std::string_view name, const stored::Thing& thing,
                  std::map<std::string, std::string>& entries);
// The groups of a thing are these now.
void index_groups(records::Transaction& records, std::string_view name,
                  const std::vector<stored::Membership>& before,
                  const std::vector<stored::Membership>& after);
// A thing is deleted: what is known of its connection goes with it, unless it is connected.
void forget_connectivity(records::Transaction& records, std::string_view name);

// The record of all dynamic groups.
[[nodiscard]] stored::DynamicGroups load_dynamic_groups(records::Transaction& records);
void save_dynamic_groups(records::Transaction& records, const stored::DynamicGroups& groups);
[[nodiscard]] bool is_dynamic(records::Transaction& records, const std::string& group_name);
[[nodiscard]] Failure not_static(std::string_view group_name);

}  // namespace gnomon::registry
