// ReadyBudget: how much of what lies in queues one keeper holds in memory too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/limits.h"

namespace gnomon::broker {

// ReadyBudget: all queues of one keeper together. What is ready to be sent lies in the store as
// well, so nobody waits or is refused for it: short of memory, each queue reads ahead less.
class ReadyBudget {
 public:
  explicit ReadyBudget(std::uint64_t max) : max_(max) {}

  // What one queue may hold now, bytes.
  [[nodiscard]] std::size_t each() const {
    if (bytes_ < max_ / 2) return limits::ready_bytes_max;
    return bytes_ < max_ ? limits::ready_bytes_max / 8 : limits::ready_bytes_min;
  }
  // What it may read at once.
  [[nodiscard]] std::size_t page() const { return each() / 4; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  friend class ReadyBytes;
  const std::uint64_t max_;
  std::uint64_t bytes_ = 0;
};

// ReadyBytes: what one queue holds of it.
class ReadyBytes {
 public:
  explicit ReadyBytes(ReadyBudget& budget) : budget_(&budget) {}
  ~ReadyBytes() { clear(); }
  ReadyBytes(ReadyBytes&& other) noexcept
      : budget_(other.budget_), held_(std::exchange(other.held_, 0)) {}
  ReadyBytes& operator=(ReadyBytes&& other) noexcept {
    clear();
    budget_ = other.budget_;
    held_ = std::exchange(other.held_, 0);
    return *this;
  }

  void add(std::size_t bytes) {
    held_ += bytes;
    budget_->bytes_ += bytes;
  }
  void take(std::size_t bytes) {
    held_ -= bytes;
    budget_->bytes_ -= bytes;
  }
  void clear() { take(held_); }
  [[nodiscard]] bool has_room() const { return held_ < budget_->each(); }
  [[nodiscard]] bool is_half_empty() const { return held_ < budget_->each() / 2; }

 private:
  ReadyBudget* budget_;
  std::size_t held_ = 0;
};

}  // namespace gnomon::broker
