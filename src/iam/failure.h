// What an operation of IAM and STS refuses with: the errors of their service models.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "store/store.h"

namespace gnomon::iam {

enum class Kind : std::uint8_t {
  denied,                 // AccessDenied
  delete_conflict,        // DeleteConflictException
  entity_already_exists,  // and so on
  invalid_input,
  limit_exceeded,
  malformed_policy,  // MalformedPolicyDocumentException
  no_such_entity,
  packed_policy_too_large,
  policy_not_attachable,
  unavailable,  // the store refuses; whoever tries again later may succeed
  validation,   // ValidationError: a value that cannot be
};

struct Failure {
  Failure(Kind k, std::string m) : kind(k), message(std::move(m)) {}
  // What the store refuses.
  explicit Failure(const Error& error) : Failure(Kind::unavailable, error.message) {}

  Kind kind;
  std::string message;  // for a person; AWS's words where they are known
};

template <class T>
using Reply = Result<T, Failure>;

// What an operation returns that tells no more than that it is done.
struct Nothing {};

// An operation that changed something.
template <class T>
struct Done {
  T value;
  store::Sequence sequence = 0;  // durable first (Store::durable), then the answer leaves
};
template <class T>
using Written = Result<Done<T>, Failure>;

}  // namespace gnomon::iam
