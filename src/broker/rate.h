// Rate: how often something may happen (the generic cell rate algorithm). Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace gnomon::broker {

// Rate: so many a second, as many at once after a quiet second.
// It remembers one point in time: that from which on nothing is owed any more.
class Rate {
 public:
  // Takes `count` if the rate allows it.
  bool take(Instant now, std::int64_t per_second, std::int64_t count = 1) {
    const Instant paid = after(now, per_second, count);
    if (paid - now > burst) return false;
    paid_ = paid;
    return true;
  }
  // How long until it would.
  [[nodiscard]] Duration wait(Instant now, std::int64_t per_second, std::int64_t count = 1) const {
    return std::max(Duration::zero(), after(now, per_second, count) - now - burst);
  }
  // Takes it in any case; returns how long to wait until the rate holds again.
  Duration owe(Instant now, std::int64_t per_second, std::int64_t count) {
    paid_ = after(now, per_second, count);
    return std::max(Duration::zero(), paid_ - now - burst);
  }

 private:
  static constexpr Duration burst = std::chrono::seconds(1);
  [[nodiscard]] Instant after(Instant now, std::int64_t per_second, std::int64_t count) const {
    return std::max(paid_, now) + Duration(count * 1'000'000'000 / per_second);
  }
  Instant paid_{};
};

}  // namespace gnomon::broker
