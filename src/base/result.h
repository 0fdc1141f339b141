// Result and Error: what can happen in ordinary running. Exceptions are for bugs and start-up only.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace gnomon {

enum class Code : std::uint8_t {
  invalid,      // the input is wrong; the message says which value and what is allowed
  not_found,    // no such thing
  conflict,     // a condition does not hold any more
  exhausted,    // a named limit or quota is reached
  denied,       // not allowed
  unavailable,  // cannot be done now: the disk, the network or a peer refuses
  unsupported,  // this server does not do that (yet)
};

// What went wrong, for a person: the thing, the value and the remedy.
struct Error {
  Code code = Code::invalid;
  std::string message;
  bool operator==(const Error&) const = default;
};

// Either a T or an E. `if (!r) return r.error();` A module whose callers must tell more kinds apart
// than Code does has an E of its own, which is made from an Error.
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  [[nodiscard]] const E& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  Result() = default;
  Result(E error) : error_(std::move(error)), failed_(true) {}

  [[nodiscard]] bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const E& error() const { return error_; }

 private:
  E error_{};
  bool failed_ = false;
};

}  // namespace gnomon
