// What a service tells its manager (sd_notify(3), without its library).
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace gnomon::cli {

// Sends `state` ("READY=1") to the socket that NOTIFY_SOCKET names, if it names one. False: it
// does, and nobody took it.
bool notify_manager(std::string_view state);

// The state of a service that reads its settings again since `now`, a time of SystemMonotonicClock;
// READY=1 ends it.
[[nodiscard]] std::string reloading_state(Instant now);

}  // namespace gnomon::cli
