// What a command asks of a running server, over its admin listener.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace gnomon::cli {

struct AdminAnswer {
  int status = 0;
  std::string text;  // the body
};

// Sends `METHOD target` to `address` ("127.0.0.1:8080") and waits for the answer, however long the
// work takes. Errors: invalid (the address), not_found (nobody listens there), unavailable (the
// connection ended, or what answered was not HTTP).
Result<AdminAnswer> ask(const std::string& address, const std::string& method,
                        const std::string& target);

// Percent-encoded, for the value of a query.
[[nodiscard]] std::string encoded(const std::string& text);

// A time as answers tell it: milliseconds since 1970, in digits.
[[nodiscard]] WallTime read_wall_time(std::string_view digits);

}  // namespace gnomon::cli
