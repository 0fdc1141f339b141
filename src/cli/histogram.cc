#include "cli/histogram.h"

namespace gnomon::cli {

Duration Histogram::percentile(double fraction) const {
  const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen <= wanted) continue;
    // The lower end of the bucket.
    if (i < fine) return Duration(i);
    return Duration((i % fine + fine) << (i / fine - 1));
  }
  return most();
}

}  // namespace gnomon::cli
