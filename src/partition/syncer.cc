#include "partition/syncer.h"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace gnomon::partition {

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

void ThreadSyncer::request() {
  // An exchange also where it changes nothing: it orders what the caller applied before the sync
  // that takes the flag.
  if (due_.exchange(true, std::memory_order_acq_rel)) return;
  { const std::lock_guard lock(mutex_); }  // the thread is before its look at due_, or asleep
  wake_.notify_one();
}

bool ThreadSyncer::wait() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || due_.load(std::memory_order_relaxed); });
  return !stopping_;
}

bool ThreadSyncer::sync() {
  const Instant begin = clock_.now();
  const auto synced = store_.sync();
  if (!synced) {
    on_broken_(synced.error());
    return false;
  }
  const auto took = static_cast<std::uint64_t>((clock_.now() - begin).count());
  syncs_.fetch_add(1, std::memory_order_relaxed);
  total_ns_.fetch_add(took, std::memory_order_relaxed);
  max_ns_.store(std::max(took, max_ns_.load(std::memory_order_relaxed)), std::memory_order_relaxed);
  for (runtime::Loop* loop : loops_) loop->wake();
  return true;
}

void ThreadSyncer::run() {
  while (wait()) {
    due_.exchange(false,
                  std::memory_order_acq_rel);  // before the sync: later requests need another
    if (!sync()) return;
  }
  if (store_.applied() != store_.durable()) sync();
}

ThreadSyncer::Stats ThreadSyncer::stats() const {
  return {syncs_.load(std::memory_order_relaxed), total_ns_.load(std::memory_order_relaxed),
          max_ns_.load(std::memory_order_relaxed)};
}

}  // namespace gnomon::partition
