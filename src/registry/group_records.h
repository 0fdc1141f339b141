// Groups in the store, and the tree that they are. Internal to the module.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "registry/change.h"
#include "registry/stored.h"
#include "registry/tables.h"

namespace gnomon::registry {

[[nodiscard]] inline std::optional<stored::Group> load_group(records::Transaction& records,
                                                             std::string_view name) {
  return load<stored::Group>(records, key(Table::group, name));
}
[[nodiscard]] Failure no_group(std::string_view name);
[[nodiscard]] std::string group_resource(std::string_view name);  // "thinggroup/NAME"

// The group above all in its hierarchy; a root's own.
[[nodiscard]] const std::string& root_of(const stored::Group& group);

// The key under which a group is listed below its parent, or among the roots.
[[nodiscard]] records::Key child_key(const stored::Group& group, std::string_view name);
// The prefix of all roots' keys.
[[nodiscard]] records::Key roots_key();

// The group that follows `name` in the tree below `top`, parents before their children, siblings in
// the order of their names; empty: it was the last, or is gone.
[[nodiscard]] std::string next_group(records::Transaction& records, const stored::GroupRef& top,
                                     const std::string& name);

}  // namespace gnomon::registry
