// CreateThing, DescribeThing, UpdateThing, DeleteThing, ListThings.
#include "operations/handlers.h"

namespace gnomon::operations {

Entries iot_things() { return {}; }

}  // namespace gnomon::operations
