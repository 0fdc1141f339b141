// What an operation of the registry refuses with: the errors of AWS IoT's service model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace gnomon::registry {

enum class Kind : std::uint8_t {
  certificate_conflict,    // CertificateConflictException
  certificate_state,       // CertificateStateException
  certificate_validation,  // and so on
  conflicting_resource_update,
  delete_conflict,
  index_not_ready,
  invalid_aggregation,
  invalid_query,
  invalid_request,
  limit_exceeded,
  malformed_policy,
  registration_code_validation,
  resource_already_exists,  // has resource_id and resource_arn
  resource_not_found,
  resource_registration_failure,
  service_unavailable,  // the store refuses; whoever tries again later may succeed
  version_conflict,
  versions_limit_exceeded,
};
// The name in the model: "ResourceNotFoundException".
[[nodiscard]] std::string_view to_string(Kind kind);

struct Failure {
  Failure(Kind k, std::string m) : kind(k), message(std::move(m)) {}
  // What the store refuses: service_unavailable.
  explicit Failure(const Error& error) : Failure(Kind::service_unavailable, error.message) {}

  Kind kind;
  std::string message;  // for a person; AWS's words where they are known
  std::string resource_id, resource_arn;
  bool operator==(const Failure&) const = default;
};

template <class T>
using Reply = Result<T, Failure>;

// What an operation returns that tells no more than that it is done.
struct Nothing {
  bool operator==(const Nothing&) const = default;
};

[[nodiscard]] inline Failure invalid(std::string message) {
  return {Kind::invalid_request, std::move(message)};
}
[[nodiscard]] inline Failure not_found(std::string message) {
  return {Kind::resource_not_found, std::move(message)};
}
// "Thing lamp already exists in account with different attributes."
[[nodiscard]] Failure already_exists(std::string message, std::string id, std::string arn);
// "The version for thing lamp does not match the expected version."
[[nodiscard]] Failure wrong_version(std::string_view what);

}  // namespace gnomon::registry
