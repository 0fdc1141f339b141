// Pool: where work goes that may block: the control plane, key generation, cold reads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/loop.h"

namespace gnomon::runtime {

// Pool: runs tasks, each once, in no promised order. A task that has something to say to a loop
// posts or mails it.
// Threads: run() any, tasks of the pool included.
class Pool {
 public:
  virtual ~Pool() = default;
  // Never blocks. Unbounded by itself: whoever lets a client cause tasks bounds them.
  virtual void run(std::function<void()> task) = 0;
};

// A pool of `threads` (at least 1) threads named `name`. Its destructor waits for the tasks that
// run, and drops those that wait and those that come later without running them: what a task must
// do at a stop is not for a pool.
std::unique_ptr<Pool> make_thread_pool(int threads, const std::string& name);

// LoopPool: a pool for the simulation, whose one thread steps all loops in random order: tasks run
// in turns of `loop`, so that their moment is random too and a run can be repeated.
class LoopPool final : public Pool {
 public:
  explicit LoopPool(Loop& loop) : loop_(loop) {}
  void run(std::function<void()> task) override;

 private:
  Loop& loop_;
};

}  // namespace gnomon::runtime
