// A store in memory: durable at once in the sense of `--durability memory`, gone with the process.
#pragma once

#include <memory>

#include "store/store.h"

namespace gnomon::store {

// Thread-safe.
std::unique_ptr<Store> make_memory_store();

}  // namespace gnomon::store
