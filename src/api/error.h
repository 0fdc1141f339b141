// What a call is answered with when it is not done.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/tables.h"

namespace gnomon::api {

// A value. `name` is the class that SDKs raise; the code on the wire follows from it.
struct ApiError {
  int status = 500;
  std::string name;  // "ResourceNotFoundException"
  std::string message;
  // Further modelled members: {"resourceArn", "arn:…"}.
  std::vector<std::pair<std::string, std::string>> members = {};
};

// A modelled error of the service, with its status. Throws std::logic_error: there is none.
[[nodiscard]] ApiError modelled_error(const Service& service, std::string_view name,
                                      std::string message);

// What any service may answer, whatever its model lists ("Common errors" of each API reference).
// The names differ between the protocols.
enum class Fault : std::uint8_t {
  no_signature,          // 403
  incomplete_signature,  // 400
  wrong_signature,       // 403
  unknown_key,           // 403
  expired_token,         // 403
  denied,                // 403: a policy
  unknown_operation,     // 404; query: 400
  malformed,             // 400: the form of the input
  invalid,               // 400: a value of the input
  too_large,             // 413
  throttled,             // 400, as AWS IoT; query: 400
  internal,              // 500
  not_built,             // 501
  unavailable,           // 503
};
[[nodiscard]] ApiError common_error(const Service& service, Fault fault, std::string message);
// 501: "iot:CreateJob is not built into this server."
[[nodiscard]] ApiError not_built(const Operation& operation);

}  // namespace gnomon::api
