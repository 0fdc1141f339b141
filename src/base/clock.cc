#include "base/clock.h"

#include <ctime>

namespace gnomon {
namespace {

timespec read(clockid_t id) {
  timespec at{};
  clock_gettime(id, &at);  // cannot fail for these clocks
  return at;
}

Instant read_instant(clockid_t id) {
  const timespec at = read(id);
  return {std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec};
}

}  // namespace

Instant SystemMonotonicClock::now() const { return read_instant(CLOCK_MONOTONIC); }
Instant SystemElapsedClock::now() const { return read_instant(CLOCK_BOOTTIME); }

WallTime SystemWallClock::now() const {
  const timespec at = read(CLOCK_REALTIME);
  return {std::int64_t{at.tv_sec} * 1'000 + at.tv_nsec / 1'000'000};
}

std::string to_string(WallTime at) {
  const std::int64_t rest = (at.ms % 1000 + 1000) % 1000;
  const std::time_t seconds = at.ms / 1000 - (at.ms % 1000 < 0 ? 1 : 0);
  std::tm parts{};
  char text[40];
  const bool known = gmtime_r(&seconds, &parts) != nullptr;
  if (!known || parts.tm_year < -1900 || parts.tm_year > 9999 - 1900 ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
    return std::to_string(at.ms) + " ms";
  }
  const std::string digits = std::to_string(1000 + rest);
  return std::string(text) + '.' + digits.substr(1) + 'Z';
}

}  // namespace gnomon
