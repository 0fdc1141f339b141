// Indexing: brings the index to what is to be indexed, a slice at a time.
#pragma once

#include <string>
#include <vector>

#include "index/configuration.h"
#include "registry/registry.h"
#include "store/store.h"

namespace gnomon::fleet {

// Takes everything out of the index that is not to be in it. Errors: the store's.
Result<void> clear(store::Store& store, const index::Configuration& what);

// Indexes what the registry has of the next limits::index_slice things. Returns the last one's
// name; empty: there were no more. Errors: the store's.
Result<std::string> index_things(registry::Registry& registry, const std::string& after);

// After a restart nobody is connected who was: makes the records say so, with the reason
// SERVER_ERROR, and drops those of what is no thing. Errors: the store's.
Result<void> disconnect_all(const registry::Registry& registry, store::Store& store, WallTime now);

// Those of the clients that are no things, whose records need not be kept: clients come with ever
// new names. Errors: the store's.
Result<std::vector<std::string>> unregistered(const store::Store& store,
                                              const std::vector<std::string>& client_ids);

}  // namespace gnomon::fleet
