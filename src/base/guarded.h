// Guarded: data that threads share, and the lock that owns it.
#pragma once

#include <mutex>
#include <utility>

namespace gnomon {

template <class T>
class Guarded {
 public:
  Guarded() : value_() {}
  explicit Guarded(T value) : value_(std::move(value)) {}
  // Calls `use(value)` under the lock and returns what it returns.
  template <class F>
  decltype(auto) with(F&& use) {
    const std::lock_guard lock(mutex_);
    return std::forward<F>(use)(value_);
  }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace gnomon
