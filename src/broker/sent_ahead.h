// SentAhead: what of a queue was sent before what stands in front of it. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>

namespace gnomon::broker {

// SentAhead: sequences, as ranges: what arrives while older messages are held back is mostly sent
// at once, so these are few.
class SentAhead {
 public:
  // `sequence` is above all that are here.
  void add(std::uint64_t sequence) {
    if (ranges_.empty() || ranges_.back().end != sequence) ranges_.push_back({sequence, sequence});
    ++ranges_.back().end;
  }
  [[nodiscard]] bool contains(std::uint64_t sequence) const {
    const auto behind = std::upper_bound(
        ranges_.begin(), ranges_.end(), sequence,
        [](std::uint64_t wanted, const Range& range) { return wanted < range.begin; });
    return behind != ranges_.begin() && sequence < std::prev(behind)->end;
  }
  // The first sequence from this one on that is not here. What is below it is forgotten.
  std::uint64_t pass(std::uint64_t sequence) {
    while (!ranges_.empty() && ranges_.front().begin <= sequence) {
      sequence = std::max(sequence, ranges_.front().end);
      ranges_.pop_front();
    }
    return sequence;
  }
  void clear() { ranges_ = {}; }

 private:
  struct Range {
    std::uint64_t begin, end;
  };
  std::deque<Range> ranges_;  // rising, apart
};

}  // namespace gnomon::broker
