// What is attached to a target, in the store. Internal to the module.
#pragma once

#include <string_view>

#include "records/transaction.h"
#include "registry/stored.h"
#include "registry/target.h"

namespace gnomon::registry {

[[nodiscard]] stored::Attachment load_attachment(records::Transaction& records,
                                                 const Target& target);
void save_attachment(records::Transaction& records, const Target& target,
                     const stored::Attachment& attachment);

// Takes all policies off a target.
void detach_all(records::Transaction& records, const Target& target);
// Whether a policy is attached to the group or to one above it.
[[nodiscard]] bool has_policies(records::Transaction& records, const stored::Group& group);

}  // namespace gnomon::registry
