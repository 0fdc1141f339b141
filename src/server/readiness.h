// Readiness: whether the server can do its work now, for /readyz.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/loop.h"
#include "store/store.h"

namespace gnomon::server {

// Readiness: asks every shard's loop for a sign of life when somebody asks, and so costs nothing
// else. One question is on its way at a time; who asks meanwhile waits for the same answers.
// Owner: the control loop, on its thread; begin() and end() any. Outlives the answers of the loops:
// those must have stopped before it goes.
class Readiness final : private runtime::Timer {
 public:
  // `control`: its own loop; `loops`: those of the shards, in their order.
  Readiness(runtime::Loop& control, std::vector<runtime::Loop*> loops, const store::Store& store);

  // What a server goes through: starting → ready → stopping.
  void begin() { phase_ = Phase::ready; }
  void end() { phase_ = Phase::stopping; }
  [[nodiscard]] bool starting() const { return phase_ == Phase::starting; }

  // Calls `answer` now or when the loops have answered, in limits::loop_stalled at the latest. The
  // reason is a line for a person; "": ready.
  using Answer = std::function<void(const std::string& reason)>;
  void ask(Answer answer);

 private:
  enum class Phase : std::uint8_t { starting, ready, stopping };
  void on_timer() override;
  void answered();
  void tell(const std::string& reason);
  [[nodiscard]] std::string reason() const;  // without asking the loops

  runtime::Loop& control_;
  const std::vector<runtime::Loop*> loops_;
  const store::Store& store_;
  std::atomic<Phase> phase_{Phase::starting};
  std::vector<Answer> waiting_;
  std::vector<bool> silent_;  // by shard, of the question on its way
  std::size_t missing_ = 0;   // how many are silent
  Instant asked_{};
  LogLimiter log_limiter_{2};
};

}  // namespace gnomon::server
