// Connections: operations that end connections, from the pool to the home of a client id and back.
#pragma once

#include <memory>
#include <vector>

#include "broker/shard.h"
#include "operations/connections.h"
#include "runtime/loop.h"

namespace gnomon::server {

// Owner: the server. Threads: any.
class Connections final : public operations::Connections {
 public:
  Connections(const std::vector<std::unique_ptr<runtime::Loop>>& loops,
              const std::vector<std::unique_ptr<broker::Shard>>& shards)
      : loops_(loops), shards_(shards) {}

  void end(operations::Disconnection disconnection, Told told) override;

 private:
  const std::vector<std::unique_ptr<runtime::Loop>>& loops_;  // by shard
  const std::vector<std::unique_ptr<broker::Shard>>& shards_;
};

}  // namespace gnomon::server
