// What is counted of calls, for /metrics.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/tables.h"
#include "metrics/metrics.h"

namespace gnomon::operations {

// CallCounts: for each operation that is built, how often it was called, how often not done, and
// how long it took. Threads: any.
class CallCounts {
 public:
  CallCounts();
  CallCounts(const CallCounts&) = delete;
  CallCounts& operator=(const CallCounts&) = delete;

  // Why a call never came to its handler.
  enum class Refused : std::uint8_t {
    signature,  // none, a wrong one, or one of a key that is not (any more)
    unknown,    // no such operation, or one that is not built
    input,      // malformed, or not as the model wants it
    policy,     // not allowed
    busy,       // too many calls at once
    count_
  };
  void refused(Refused why) { ++refused_[static_cast<std::size_t>(why)]; }
  // A handler was called; `ok`: it did what was asked.
  void called(const api::Operation& operation, bool ok, std::chrono::nanoseconds took);

  [[nodiscard]] metrics::Sample sample() const;

 private:
  struct Counts {
    std::atomic<std::uint64_t> calls{0}, errors{0}, microseconds{0};
  };
  std::vector<const api::Operation*> operations_;  // built ones
  std::unordered_map<const api::Operation*, Counts> counts_;
  std::deque<std::string> labels_;
  std::vector<metrics::Row> rows_;
  std::atomic<std::uint64_t> refused_[static_cast<std::size_t>(Refused::count_)]{};
};

}  // namespace gnomon::operations
