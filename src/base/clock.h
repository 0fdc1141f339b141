// The two clocks, as two types that do not mix. Timers use the monotonic one, stored deadlines the
// wall clock, by way of wall_guard.h. Versions and sequences never come from a clock.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace gnomon {

using Duration = std::chrono::nanoseconds;

// A point of the monotonic clock. Its origin means nothing; only differences do.
struct Instant {
  std::int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;
  friend Instant operator+(Instant at, Duration d) { return {at.ns + d.count()}; }
  friend Instant operator-(Instant at, Duration d) { return {at.ns - d.count()}; }
  friend Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }
  static constexpr Instant never() { return {INT64_MAX}; }
};

// A point of the wall clock: milliseconds since 1970-01-01T00:00:00Z. 0 means "none".
struct WallTime {
  std::int64_t ms = 0;
  auto operator<=>(const WallTime&) const = default;
  friend WallTime operator+(WallTime at, std::chrono::milliseconds d) {
    return {at.ms + d.count()};
  }
  static constexpr WallTime never() { return {INT64_MAX}; }
};
// As in RFC 3339: "2023-11-14T22:13:20.123Z"; in ms what is not of the years 0 to 9999.
[[nodiscard]] std::string to_string(WallTime at);

class MonotonicClock {
 public:
  virtual ~MonotonicClock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
};

class WallClock {
 public:
  virtual ~WallClock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
};

// The machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME). Any thread.
class SystemMonotonicClock final : public MonotonicClock {
 public:
  [[nodiscard]] Instant now() const override;
};
// CLOCK_BOOTTIME: goes on while the machine sleeps, as timers do not. For WallGuard.
class SystemElapsedClock final : public MonotonicClock {
 public:
  [[nodiscard]] Instant now() const override;
};
class SystemWallClock final : public WallClock {
 public:
  [[nodiscard]] WallTime now() const override;
};

// Clocks that stand still until a test moves them. One thread.
class ManualClock final : public MonotonicClock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  void advance(Duration by) { now_ = now_ + by; }

 private:
  Instant now_{1'000'000'000};
};
class ManualWallClock final : public WallClock {
 public:
  [[nodiscard]] WallTime now() const override { return now_; }
  void advance(std::chrono::milliseconds by) { now_ = now_ + by; }

 private:
  WallTime now_{1'700'000'000'000};
};

}  // namespace gnomon
