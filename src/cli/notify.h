// What a service tells its manager (sd_notify(3), without its library).
#pragma once

#include <string_view>

namespace gnomon::cli {

// Sends `state` ("READY=1") to the socket that NOTIFY_SOCKET names, if it names one. False: it
// does, and nobody took it.
bool notify_manager(std::string_view state);

}  // namespace gnomon::cli
