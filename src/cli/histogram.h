// Histogram: counts of durations, for percentiles.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace gnomon::cli {

// Histogram: logarithmic buckets, each cut into 64 equal ones, so a percentile is off by 1.6 % at
// most, whatever its size. A value; one thread.
class Histogram {
 public:
  void add(Duration value) {
    const auto ns = static_cast<std::uint64_t>(value.count() < 0 ? 0 : value.count());
    ++buckets_[bucket(ns)];
    ++count_;
    if (ns > most_) most_ = ns;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] Duration most() const { return Duration(most_); }
  // The value below which the part `fraction` (0 to 1) of all values lies.
  [[nodiscard]] Duration percentile(double fraction) const;

 private:
  static constexpr unsigned fine_bits = 6;
  static constexpr std::uint64_t fine = 1U << fine_bits;
  static std::size_t bucket(std::uint64_t ns) {
    if (ns < fine) return ns;
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - fine_bits - 1;
    return (shift + 1) * fine + ((ns >> shift) - fine);
  }

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>((65 - fine_bits) * fine);
  std::uint64_t count_ = 0, most_ = 0;
};

}  // namespace gnomon::cli
