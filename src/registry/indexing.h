// The registry in the fleet index: what of its things can be found, and read for whoever has found
// them. The postings are written with the records that they are derived from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "index/configuration.h"
#include "registry/registry.h"
#include "registry/things.h"

namespace gnomon::registry {

// ---- what is indexed

// Sets it. `configuration` is without `building` and `clearing`, which are set by what differs from
// before. An equal one changes nothing. `effects.indexing` is set. Errors: the store's.
Written<Nothing> configure_index(Registry& registry, index::Configuration configuration);
// All that `done` said was to be built or cleared has been; false: it is another one since then.
Written<bool> settle_index(Registry& registry, const index::Configuration& done);

// Names of things behind `after`, in their order.
Result<std::vector<std::string>> thing_names(const store::Store& store, std::string_view after,
                                             std::size_t most);
[[nodiscard]] Result<bool> has_thing(const store::Store& store, std::string_view name);
// Indexes these again, as they are. One that is gone is passed over.
Written<Nothing> index_things(Registry& registry, const std::vector<std::string>& names);

// ---- what is read

struct IndexedThing {
  std::string thing_id, thing_type_name;  // type empty: none
  std::vector<std::string> groups;        // static ones
  Attributes attributes;
  std::uint64_t version = 0;
};
// IndexedThings: reads one after the other; groups that several are in are read once. Not
// thread-safe.
class IndexedThings {
 public:
  explicit IndexedThings(const Registry& registry) : records_(registry.store) {}
  // nullopt: there is none. Errors: the store's.
  Reply<std::optional<IndexedThing>> find(const std::string& name);

 private:
  records::Transaction records_;
};

struct IndexedGroup {
  std::string name, group_id, description;
  std::vector<std::string> parents;  // the root first
  Attributes attributes;
};
// Groups behind `after`, in the order of their names.
Reply<std::vector<IndexedGroup>> indexed_groups(const Registry& registry, std::string_view after,
                                                std::size_t most);

// A group whose things are those that a query matches.
struct DynamicGroup {
  std::string name, query;
  WallTime created;
};
// In the order of their names; at most limits::dynamic_groups_max.
Reply<std::vector<DynamicGroup>> dynamic_groups(const Registry& registry);

}  // namespace gnomon::registry
