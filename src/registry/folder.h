// What a folder is for, and what was made in it once.
#pragma once

#include <string>
#include <string_view>

#include "registry/change.h"
#include "registry/registry.h"

namespace gnomon::registry {

// Writes the account and the region into a store at its first start; later ones must be the same,
// since ARNs with both are everywhere. Errors: conflict (they are others; the message says how to
// go on), unavailable.
Result<void> stamp(store::Store& store, std::string_view account, std::string_view region);

// Whether `what` ("policies") was made in this folder, and that it is now. What was made and
// deleted by somebody is not made again. Errors: service_unavailable.
Reply<bool> was_made(const Registry& registry, std::string_view what);
[[nodiscard]] bool was_made(Change& change, std::string_view what);
void note_made(Change& change, std::string_view what);

}  // namespace gnomon::registry
