// Syncer: who makes durable what partitions have applied.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "runtime/loop.h"
#include "store/store.h"

namespace gnomon::partition {

// Syncer: partitions ask it to make durable what is applied, and see in store.durable() that it is.
// The simulation has one of its own, which syncs when a test lets it.
class Syncer {
 public:
  virtual ~Syncer() = default;
  // The loop with this number (from 0, below 64) waits for what it has applied so far. Any thread;
  // cheap when a sync is due already.
  virtual void request(int loop) = 0;

  // Successful syncs and the time they took. Any thread. None where what is applied is durable.
  struct Stats {
    std::uint64_t syncs = 0, total_ns = 0, max_ns = 0;
  };
  [[nodiscard]] virtual Stats stats() const { return {}; }
};

// ThreadSyncer: one thread that syncs on request, and then wakes the loops that asked: they look at
// store.durable() in their turn, and again in has_mail(), or a wake between the two is lost. What
// is applied while a sync runs is made durable together by the next: batches grow with the load and
// no timer is needed. Owner:   the server, which starts it before and stops it after the loops do
// their work. Threads: request() and stats() any; the rest its owner's.
class ThreadSyncer final : public Syncer {
 public:
  // `on_broken` is called once, on the syncer's thread, with the error of the sync that failed;
  // no other sync follows it. All that is given by reference outlives the syncer.
  ThreadSyncer(store::Store& store, std::vector<runtime::Loop*> loops, const MonotonicClock& clock,
               std::function<void(const Error&)> on_broken);
  ~ThreadSyncer() override;  // stops
  ThreadSyncer(const ThreadSyncer&) = delete;
  ThreadSyncer& operator=(const ThreadSyncer&) = delete;

  void start();
  // Syncs once more if something is applied and not durable, and joins the thread. Idempotent.
  void stop();
  void request(int loop) override;
  [[nodiscard]] Stats stats() const override;

 private:
  void run();
  bool wait();                     // for a request; false when it is to stop
  bool sync(std::uint64_t asked);  // false when broken

  store::Store& store_;
  const std::vector<runtime::Loop*> loops_;
  const MonotonicClock& clock_;
  const std::function<void(const Error&)> on_broken_;
  std::thread thread_;
  // The thread's: the last request came soon after the sync before it; how much the last sync made
  // durable.
  bool rhythm_ = false;
  store::Sequence covered_ = 0;

  // A bit for each loop that waits. Whoever sets the first wakes the thread; the others need no
  // lock.
  std::atomic<std::uint64_t> asked_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // under mutex_

  std::atomic<std::uint64_t> syncs_{0}, total_ns_{0}, max_ns_{0};  // written by the thread
};

}  // namespace gnomon::partition
