// Things in the store, with what is kept of them besides. Internal to the module.
#pragma once

#include <optional>
#include <string_view>

#include "registry/change.h"
#include "registry/stored.h"
#include "registry/tables.h"

namespace gnomon::registry {

[[nodiscard]] inline std::optional<stored::Thing> load_thing(records::Transaction& records,
                                                             std::string_view name) {
  return load<stored::Thing>(records, key(Table::thing, name));
}
[[nodiscard]] Failure no_thing(std::string_view name);

// Writes `thing` in place of `old` (nullopt: it is new) with its entries by type, attribute and
// billing group. Version and events are the caller's.
void save_thing(records::Transaction& records, std::string_view name,
                const std::optional<stored::Thing>& old, const stored::Thing& thing);
void erase_thing(records::Transaction& records, std::string_view name, const stored::Thing& thing);

// The billing group of a thing; empty: none, or it is gone.
[[nodiscard]] std::string billing_group_of(records::Transaction& records,
                                           const stored::Thing& thing);

}  // namespace gnomon::registry
