// Publishing: messages that calls publish, from the pool to a shard and back.
#pragma once

#include <memory>
#include <vector>

#include "broker/profile.h"
#include "broker/shard.h"
#include "operations/publisher.h"
#include "runtime/loop.h"

namespace gnomon::server {

// Messages of one topic are published by one shard, so those of a caller who waits for each stay in
// order. Owner: the server. Threads: any.
class Publishing final : public operations::Publisher {
 public:
  struct Setup {
    const std::vector<std::unique_ptr<runtime::Loop>>& loops;  // by shard
    const std::vector<std::unique_ptr<broker::Shard>>& shards;
    const broker::Profile& profile;
  };
  explicit Publishing(const Setup& setup) : setup_(setup) {}

  void publish(operations::Publication publication, Told told) override;

 private:
  const Setup setup_;
};

}  // namespace gnomon::server
