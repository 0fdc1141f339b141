// Answers that a client reads whole. Boost.Beast's parser stays in http_response.cc.
#pragma once

#include <string_view>

#include "base/result.h"
#include "net/http_message.h"

namespace gnomon::net {

// Reads one response (HTTP/1.x) out of all that came until the connection ended; what is behind it
// is left out. Errors: invalid (no HTTP; cut off; its head longer than
// limits::http_head_bytes_max).
Result<Response> read_response(std::string_view text);

}  // namespace gnomon::net
