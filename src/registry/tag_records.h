// Tags in the store. For the module, and for the provisioning.
#pragma once

#include <cstdint>
#include <string_view>

#include "records/tables.h"
#include "records/transaction.h"
#include "registry/failure.h"
#include "registry/tags.h"

namespace gnomon::registry {

// Tables of the provisioning whose records have tags, too: it lists them with its others
// (provisioning/tables.h). Their keys are names, as here.
constexpr std::uint8_t template_table = static_cast<std::uint8_t>(records::Owner::provisioning);
constexpr std::uint8_t role_alias_table = template_table + 1;

// Of a resource that is made: "policy/dev". Errors: invalid_request (a key that begins "aws:", more
// than 50).
Reply<Nothing> save_tags(records::Transaction& records, std::string_view resource,
                         const Tags& tags);
void erase_tags(records::Transaction& records, std::string_view resource);

}  // namespace gnomon::registry
