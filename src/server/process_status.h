// What the kernel says of this process, for /metrics.
#pragma once

#include "base/clock.h"
#include "metrics/metrics.h"

namespace gnomon::server {

// Memory, descriptors, CPU time and the start, under the names that Prometheus' dashboards expect
// (process_…). `started`: when this process was.
[[nodiscard]] metrics::Sample process_status(WallTime started);

}  // namespace gnomon::server
