// Tags in the store. Internal to the module.
#pragma once

#include <string_view>

#include "records/transaction.h"
#include "registry/failure.h"
#include "registry/tags.h"

namespace gnomon::registry {

// Of a resource that is made: "policy/dev". Errors: invalid_request (a key that begins "aws:", more
// than 50).
Reply<Nothing> save_tags(records::Transaction& records, std::string_view resource,
                         const Tags& tags);
void erase_tags(records::Transaction& records, std::string_view resource);

}  // namespace gnomon::registry
