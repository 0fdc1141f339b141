// Reserve: whether there is room on the disk for more.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"

namespace gnomon::store {

// Reserve: accepting() is false once less than `bytes` are free, and true again when an eighth more
// than that is: a server at the bound must not change its mind with every message. Free space is
// asked for at most every 100 ms, and again after each MiB written.
// Owner:   a store. Threads: any.
class Reserve {
 public:
  // The bytes that are free to us; nullopt if that cannot be told, which changes nothing.
  using Probe = std::function<std::optional<std::uint64_t>()>;
  // `bytes` 0: always accepting, and never asks.
  Reserve(std::uint64_t bytes, const MonotonicClock& clock, Probe probe);

  [[nodiscard]] bool accepting() const;
  void wrote(std::size_t bytes) {
    if (bytes_ > 0) written_.fetch_add(bytes, std::memory_order_relaxed);
  }

 private:
  void measure() const;

  const std::uint64_t bytes_;
  const MonotonicClock& clock_;
  const Probe probe_;
  mutable std::atomic<std::int64_t> due_ns_{0};  // when to ask again
  mutable std::atomic<std::uint64_t> written_{0};
  mutable std::atomic<bool> accepting_{true};
};

// A probe of the file system that `folder` is on.
[[nodiscard]] Reserve::Probe free_space_of(std::string folder);

}  // namespace gnomon::store
