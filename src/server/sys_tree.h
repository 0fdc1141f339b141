// SysTree: what the server tells of itself under `$SYS`, where mosquitto's users look for it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "broker/shard.h"
#include "broker/status_topics.h"
#include "runtime/loop.h"

namespace gnomon::server {

// The tree (mosquitto(8), "Broker status"; only what is known here, and means the same), at a time
// `uptime` after the start, from the counters of all shards together.
[[nodiscard]] broker::StatusTopics sys_topics(const std::vector<broker::Counters>& shards,
                                              std::chrono::seconds uptime);

// SysTree: every interval gathers what the shards count, tells it to them for new subscriptions,
// and publishes what has changed, if anybody has subscribed. Nothing is written to the store.
// Owner: the server. Threads: the control loop's; constructed before the shards' loops start, which
// have a tree from the beginning.
class SysTree final : private runtime::Timer {
 public:
  // All that is given by reference outlives it.
  SysTree(std::chrono::seconds interval, runtime::Loop& control,
          const std::vector<std::unique_ptr<runtime::Loop>>& loops,  // by shard
          const std::vector<std::unique_ptr<broker::Shard>>& shards);
  void begin() { control_.timers().arm(*this, control_.now() + interval_); }

 private:
  struct Gather;
  void on_timer() override;
  void gathered(const Gather& gather);

  const std::chrono::seconds interval_;
  runtime::Loop& control_;
  const std::vector<std::unique_ptr<runtime::Loop>>& loops_;
  const std::vector<std::unique_ptr<broker::Shard>>& shards_;
  const Instant started_;
  std::shared_ptr<const broker::StatusTopics> topics_;
};

}  // namespace gnomon::server
