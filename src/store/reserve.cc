#include "store/reserve.h"

#include <sys/statvfs.h>
#include <utility>

namespace gnomon::store {

namespace {

constexpr std::chrono::milliseconds measure_every{100};
constexpr std::uint64_t measure_after_bytes = 1024 * 1024;

}  // namespace

Reserve::Reserve(std::uint64_t bytes, const MonotonicClock& clock, Probe probe)
    : bytes_(bytes), clock_(clock), probe_(std::move(probe)) {
  if (bytes_ > 0) measure();
}

bool Reserve::accepting() const {
  if (bytes_ == 0) return true;
  const std::int64_t now = clock_.now().ns;
  std::int64_t due = due_ns_.load(std::memory_order_relaxed);
  if (now >= due || written_.load(std::memory_order_relaxed) >= measure_after_bytes) {
    // One thread measures; the others go by what is known.
    const std::int64_t next = (Instant{now} + measure_every).ns;
    if (due_ns_.compare_exchange_strong(due, next, std::memory_order_relaxed)) measure();
  }
  return accepting_.load(std::memory_order_relaxed);
}

void Reserve::measure() const {
  written_.store(0, std::memory_order_relaxed);
  const auto free = probe_();
  if (!free) return;
  const bool was = accepting_.load(std::memory_order_relaxed);
  const std::uint64_t wanted = was ? bytes_ : bytes_ + bytes_ / 8;
  accepting_.store(was ? *free >= wanted : *free > wanted, std::memory_order_relaxed);
}

Reserve::Probe free_space_of(std::string folder) {
  return [folder = std::move(folder)]() -> std::optional<std::uint64_t> {
    struct statvfs status {};
    if (::statvfs(folder.c_str(), &status) != 0) return std::nullopt;
    return std::uint64_t{status.f_bavail} * status.f_frsize;
  };
}

}  // namespace gnomon::store
