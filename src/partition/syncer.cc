#include "partition/syncer.h"

#include <algorithm>
#include <chrono>
#include <pthread.h>
#include <utility>

namespace gnomon::partition {

namespace {

// How long the thread looks for the next request before it sleeps, if the last came within twice
// that after the sync before it: a sleep and a wake would take a third of a quick disk's sync. Who
// sends one message after the other waits for neither, and a request now and then costs no more
// than its sync.
constexpr auto patience = std::chrono::microseconds(150);
// Not if a sync made more than so much durable: with many writers the shards have use for the CPU,
// and the next sync waits for nobody.
constexpr store::Sequence few = 16;

}  // namespace

ThreadSyncer::ThreadSyncer(store::Store& store, std::vector<runtime::Loop*> loops,
                           const MonotonicClock& clock, std::function<void(const Error&)> on_broken)
    : store_(store), loops_(std::move(loops)), clock_(clock), on_broken_(std::move(on_broken)) {}

ThreadSyncer::~ThreadSyncer() { stop(); }

void ThreadSyncer::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "syncer");
    run();
  });
}

void ThreadSyncer::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void ThreadSyncer::request(int loop) {
  // Also where it changes nothing: it orders what the caller applied before the sync
  // that takes the flag.
  const std::uint64_t bit = std::uint64_t{1} << loop;
  if (asked_.fetch_or(bit, std::memory_order_acq_rel) != 0) return;
  { const std::lock_guard lock(mutex_); }  // the thread is before its look at asked_, or asleep
  wake_.notify_one();
}

bool ThreadSyncer::wait() {
  const Instant begin = clock_.now();
  const auto asked = [this] { return asked_.load(std::memory_order_relaxed) != 0; };
  while (rhythm_ && covered_ <= few && clock_.now() - begin < patience) {
    if (asked()) return true;
    std::this_thread::yield();
  }
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return stopping_ || asked(); });
  rhythm_ = clock_.now() - begin < 2 * patience;
  return !stopping_;
}

bool ThreadSyncer::sync(std::uint64_t asked) {
  const Instant begin = clock_.now();
  covered_ = store_.applied() - store_.durable();
  const auto synced = store_.sync();
  if (!synced) {
    on_broken_(synced.error());
    return false;
  }
  const auto took = static_cast<std::uint64_t>((clock_.now() - begin).count());
  syncs_.fetch_add(1, std::memory_order_relaxed);
  total_ns_.fetch_add(took, std::memory_order_relaxed);
  max_ns_.store(std::max(took, max_ns_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    if ((asked >> i & 1U) != 0) loops_[i]->wake();
  }
  return true;
}

void ThreadSyncer::run() {
  while (wait()) {
    // Taken before the sync: who asks later needs another.
    if (!sync(asked_.exchange(0, std::memory_order_acq_rel))) return;
  }
  if (store_.applied() != store_.durable()) sync(0);
}

ThreadSyncer::Stats ThreadSyncer::stats() const {
  return {syncs_.load(std::memory_order_relaxed), total_ns_.load(std::memory_order_relaxed),
          max_ns_.load(std::memory_order_relaxed)};
}

}  // namespace gnomon::partition
