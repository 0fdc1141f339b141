// Policies in the store. Internal to the module.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "registry/change.h"
#include "registry/stored.h"
#include "registry/tables.h"

namespace gnomon::registry {

[[nodiscard]] inline std::optional<stored::Policy> load_policy(records::Transaction& records,
                                                               std::string_view name) {
  return load<stored::Policy>(records, key(Table::policy, name));
}
[[nodiscard]] inline records::Key version_key(std::string_view policy, std::uint64_t version) {
  return key(Table::policy_version).text(policy).number(version);
}
// Of a version that the policy has.
[[nodiscard]] inline stored::PolicyVersion load_version(records::Transaction& records,
                                                        std::string_view policy,
                                                        std::uint64_t version) {
  return load<stored::PolicyVersion>(records, version_key(policy, version))
      .value_or(stored::PolicyVersion{});
}
[[nodiscard]] Failure no_policy(std::string_view name);
[[nodiscard]] inline std::string policy_resource(std::string_view name) {
  return std::string("policy/").append(name);
}

}  // namespace gnomon::registry
