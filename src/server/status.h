// What the server tells of itself in /metrics, beside what its shards count.
#pragma once

#include <cstdint>

#include "base/wall_guard.h"
#include "metrics/metrics.h"
#include "partition/syncer.h"
#include "server/config.h"

namespace gnomon::server {

// The version, what an acknowledgement is worth and costs, what the wall clock has done, and how
// often a connection could not be accepted.
[[nodiscard]] metrics::Sample status(const Config& config, const GuardedWallClock::Stats& clock,
                                     const partition::Syncer::Stats& syncs,
                                     std::uint64_t accept_failures);

}  // namespace gnomon::server
