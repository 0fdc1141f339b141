// A store on disk, in RocksDB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "store/store.h"

namespace gnomon::store {

struct RocksOptions {
  std::string folder;                    // made (0700) if it does not exist
  std::size_t memory_bytes = 256 * MiB;  // block cache and write buffers together
  std::uint64_t reserve_bytes = 0;       // free space below which accepting() is false; 0: none
};

// Opens the store of a folder, or makes it. What was applied before the last stop is there again:
// after a power cut at least what was durable. sequences begin at 0 with each opening, and what an
// opening finds is durable. Thread-safe; `clock` outlives it. One process at a time.
// Errors: unavailable (in use, damaged, the disk refuses), with the file and what to do.
Result<std::unique_ptr<Store>> open_rocks_store(const RocksOptions& options,
                                                const MonotonicClock& clock);

}  // namespace gnomon::store
