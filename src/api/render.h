// From what an operation gives to what the client reads.
#pragma once

#include <string>
#include <string_view>

#include "api/error.h"
#include "api/tables.h"
#include "base/random.h"
#include "json/json.h"
#include "net/http_message.h"

namespace gnomon::api {

// A random id in the form of a UUID, as AWS gives every request one.
[[nodiscard]] std::string new_request_id(Random& random);

// The answer of an operation that was done. `output`: an object with members of the modelled
// output, of the types that api/tables.h says; those that are null are left out. Throws
// std::logic_error for a member that the model does not have, or of a wrong type: a bug of the
// handler.
[[nodiscard]] net::Response render(const Operation& operation, const json::Value& output,
                                   std::string_view request_id);

// The answer of one that was not, so that SDKs raise the class `error.name`.
[[nodiscard]] net::Response render(const Service& service, const ApiError& error,
                                   std::string_view request_id);

}  // namespace gnomon::api
