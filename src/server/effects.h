// Effects: what follows from a change of the registry: its events are published, and connections
// whose permissions may be different now are looked at again.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "broker/shard.h"
#include "partition/syncer.h"
#include "registry/registry.h"
#include "runtime/loop.h"
#include "server/authentication.h"
#include "store/store.h"

namespace gnomon::server {

// Owner: the server. Threads: apply(), when_durable(), recheck() and recheck_signed() any; the
// rest the control loop's.
class Effects final : private runtime::Timer {
 public:
  struct Setup {
    runtime::Loop& control;
    const std::vector<std::unique_ptr<runtime::Loop>>& loops;  // by shard
    const std::vector<std::unique_ptr<broker::Shard>>& shards;
    const store::Store& store;
    partition::Syncer& syncer;
    Authentication& authentication;
    std::function<void()> index;  // what is indexed has changed; any thread
  };
  explicit Effects(const Setup& setup) : setup_(setup) {}

  // Once the change is durable. Events are published by the server itself, with QoS 1, so that
  // persistent sessions queue them; nobody waits for that: a server that dies in between has not
  // published them, and does not do so later. Those of one call are in order.
  void apply(registry::Effects effects);
  // The same as soon as `sequence` is durable, and `then` after it (may be empty), on the control
  // loop's thread.
  void when_durable(store::Sequence sequence, registry::Effects effects,
                    std::function<void()> then);
  // What IAM says is different now: connections that rest on a signature are looked at again.
  void recheck_signed();

  // The connections of these are looked at again.
  void recheck(const std::shared_ptr<const broker::Principals>& changed);

 private:
  struct Waiting {
    store::Sequence sequence;
    registry::Effects effects;
    std::function<void()> then;
  };
  void look();
  void on_timer() override { look(); }

  const Setup setup_;
  std::vector<Waiting> waiting_;
};

}  // namespace gnomon::server
