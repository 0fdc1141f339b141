// The history of a shadow: its last versions, who made them and what they are.
#pragma once

#include <vector>

#include "base/result.h"
#include "shadow/records.h"
#include "store/store.h"

namespace gnomon::shadow {

// Its entries, the newest first: at most limits::shadow_history_max, none if there has been no such
// shadow within the last 48 hours. Reads the store. Errors: the store's; unavailable (a record is
// damaged).
Result<std::vector<Entry>> history(const store::Store& store, const Address& address);

}  // namespace gnomon::shadow
