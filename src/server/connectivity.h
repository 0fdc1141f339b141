// Connectivity: keeps in the fleet index who is connected.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "broker/presence.h"
#include "broker/shard.h"
#include "index/configuration.h"
#include "runtime/loop.h"
#include "runtime/pool.h"
#include "store/store.h"

namespace gnomon::server {

// Connectivity: writes what a home tells, in the home's own batch. Clients come with ever new
// names: of one that has gone and is no thing nothing stays. Owner: the server. Threads:
// presence() each home's; set_index() and record_all() any.
class Connectivity final : public broker::PresenceObserver {
 public:
  struct Setup {
    const std::vector<std::unique_ptr<runtime::Loop>>& loops;   // by shard
    const std::vector<std::unique_ptr<broker::Shard>>& shards;  // the same, once they are there
    store::Store& store;
    runtime::Pool& pool;
  };
  explicit Connectivity(const Setup& setup) : setup_(setup), homes_(setup.loops.size()) {}

  void presence(const broker::PresenceChange& change, store::Batch& batch) override;

  // What is indexed from now on. `then` is called once all homes know, on the loop of the last one.
  void set_index(const index::Configuration& what, const std::function<void()>& then);
  // Records all who are connected. `then` as above, when what was written is durable.
  void record_all(const std::function<void()>& then);

 private:
  // Of one shard's homes; its loop's.
  struct Home {
    bool indexed = false;
    std::unordered_set<std::string> gone;  // of whom it is not known whether they are things
    bool asking = false;                   // about all of them
  };
  void ask(std::size_t at);
  void forget(std::size_t at, const std::vector<std::string>& names);

  const Setup setup_;
  std::vector<Home> homes_;
};

}  // namespace gnomon::server
