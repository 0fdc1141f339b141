#include "base/clock.h"

#include <ctime>

namespace gnomon {
namespace {

timespec read(clockid_t id) {
  timespec at{};
  clock_gettime(id, &at);  // cannot fail for these two clocks
  return at;
}

}  // namespace

Instant SystemMonotonicClock::now() const {
  const timespec at = read(CLOCK_MONOTONIC);
  return {std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec};
}

WallTime SystemWallClock::now() const {
  const timespec at = read(CLOCK_REALTIME);
  return {std::int64_t{at.tv_sec} * 1'000 + at.tv_nsec / 1'000'000};
}

}  // namespace gnomon
