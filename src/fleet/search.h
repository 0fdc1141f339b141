// SearchIndex: the things, or thing groups, that a query matches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "index/connectivity.h"
#include "registry/indexing.h"
#include "registry/page.h"

namespace gnomon::fleet {

struct Search {
  std::string query;
  std::size_t limit = 0;  // 1 to limits::search_page_max; 0: limits::search_page_default
  std::string token;      // as the page before has given it; empty: the first page
};

struct FoundThing {
  std::string name;
  registry::IndexedThing thing;  // its groups with the dynamic ones
  // {"desired":…,"reported":…,"metadata":…,"version":n,"hasDelta":…,"name":{"NAME":{…}}}; empty: it
  // has no shadow, or none is indexed.
  std::string shadow;
  std::optional<index::Connectivity> connectivity;  // nullopt: it is not indexed
};

// In the order of the names. Sees what was acknowledged before. A page may be shorter than its
// limit, even empty, and not be the last: limits::search_examined_max things are read for it at
// most. Errors: those of ask_things(); invalid_request (the limit, the token).
registry::Reply<registry::Page<FoundThing>> search_things(const registry::Registry& registry,
                                                          const Search& search);
registry::Reply<registry::Page<registry::IndexedGroup>> search_groups(
    const registry::Registry& registry, const Search& search);

// GetThingConnectivityData. Errors: resource_not_found (the thing); index_not_ready (connectivity
// is not indexed).
registry::Reply<index::Connectivity> connectivity_of(const registry::Registry& registry,
                                                     const std::string& thing);

// The dynamic groups that a thing is in, the oldest first; none if nothing is indexed.
registry::Reply<std::vector<std::string>> dynamic_groups_of(const registry::Registry& registry,
                                                            const std::string& thing);

}  // namespace gnomon::fleet
