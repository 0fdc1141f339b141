// Publishing: messages that calls publish, from the pool to a shard and back; and what is retained,
// for calls.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "broker/profile.h"
#include "broker/reserved_topics.h"
#include "broker/shard.h"
#include "operations/publisher.h"
#include "runtime/loop.h"
#include "store/store.h"

namespace gnomon::server {

// Messages of one topic are published by one shard, so those of a caller who waits for each stay in
// order. Owner: the server. Threads: any; what reads the store not a loop's.
class Publishing final : public operations::Publisher {
 public:
  struct Setup {
    const std::vector<std::unique_ptr<runtime::Loop>>& loops;  // by shard
    const std::vector<std::unique_ptr<broker::Shard>>& shards;
    const broker::Profile& profile;
    const broker::ReservedTopics& services;
    const store::Store& store;
    const WallClock& wall;
  };
  explicit Publishing(const Setup& setup) : setup_(setup) {}

  void publish(operations::Publication publication, Told told) override;
  [[nodiscard]] Result<std::optional<operations::RetainedMessage>> retained(
      std::string_view topic) const override;
  [[nodiscard]] Result<operations::RetainedTopics> list_retained(std::string_view after,
                                                                 std::size_t most) const override;

 private:
  [[nodiscard]] Result<void, operations::Unpublished> check(
      const operations::Publication& publication) const;

  const Setup setup_;
};

}  // namespace gnomon::server
