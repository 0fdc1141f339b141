// What the disk takes to make a few bytes last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/histogram.h"

namespace gnomon::cli {

// Appends `bytes` to a file of its own in `folder`, `count` times, each followed by fdatasync, and
// tells how long these took. The file is removed.
// Errors: unavailable, with the folder and the system's reason.
Result<Histogram> time_syncs(const std::string& folder, std::size_t bytes, std::uint64_t count,
                             const MonotonicClock& clock);

}  // namespace gnomon::cli
