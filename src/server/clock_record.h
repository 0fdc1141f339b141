// What a run leaves of its time to the next one, so that time never goes back.
#pragma once

#include <functional>

#include "base/wall_guard.h"
#include "partition/syncer.h"
#include "runtime/loop.h"
#include "store/store.h"

namespace gnomon::server {

// Takes up `clock` where the runs before have left it. Before anything takes a time from it that is
// to last. Errors: unavailable (the store fails, or holds what is no record).
Result<void> resume_clock(const store::Store& store, GuardedWallClock& clock);

// Appends the writes that keep the present time for the next run.
void keep_clock(const GuardedWallClock& clock, store::Batch& batch);

// ClockRecord: keeps the time every few seconds: applied like all else, and durable with what is
// synced next. So whatever survives a power cut, the time from which it is comes with it. It asks
// for a sync every few minutes only, for a server where nobody else does.
// Owner: the server. Threads: those of `loop`; write() also when that has stopped.
class ClockRecord final : public runtime::Timer {
 public:
  // All outlive it. `on_broken` is told when the store takes nothing any more.
  ClockRecord(const GuardedWallClock& clock, store::Store& store, partition::Syncer& syncer,
              runtime::Loop& loop, std::function<void(const Error&)> on_broken);
  void write();

 private:
  void on_timer() override;

  const GuardedWallClock& clock_;
  store::Store& store_;
  partition::Syncer& syncer_;
  runtime::Loop& loop_;
  const std::function<void(const Error&)> on_broken_;
  Instant asked_{};
};

}  // namespace gnomon::server
