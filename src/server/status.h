// What the server tells of itself in /metrics, beside what its shards count.
#pragma once

#include "metrics/metrics.h"
#include "server/config.h"

namespace gnomon::server {

// The version, and what an acknowledgement is worth.
[[nodiscard]] metrics::Sample status(const Config& config);

}  // namespace gnomon::server
