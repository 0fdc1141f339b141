// Requests of clients: an operation and its input, as they go over the wire.
#pragma once

#include "api/tables.h"
#include "json/json.h"
#include "net/http_message.h"

namespace gnomon::api {

// The request that calls `operation` with `input`, an object as handlers see it (operation.h),
// without Host and signature. Throws std::logic_error: a member that the model does not have, a
// wrong type, a label of the path that is missing.
[[nodiscard]] net::Request write_request(const Operation& operation, const json::Value& input);

}  // namespace gnomon::api
