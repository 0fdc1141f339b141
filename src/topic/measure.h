// What subscriptions cost: the figures behind `gnomon bench`.
#pragma once

#include <cstddef>

namespace gnomon::topic {

struct SubscriptionCost {
  double index_bytes = 0;      // heap bytes per filter in the index of its shard
  double directory_bytes = 0;  // heap bytes per filter in the directories of all other shards
  double subscribe_ns = 0;     // CPU per SUBSCRIBE: one index and all other directories
  double unsubscribe_ns = 0;   // CPU per UNSUBSCRIBE, the same way
  double match_ns = 0;         // CPU per match of a wanted topic in the index of its shard
};

// In this process and on this thread: `filters` distinct exact filters of 22 bytes with one
// subscriber each, spread over `shards` indexes by their hash, each made known to the directories
// of all other shards; then matched, then removed. 1 ≤ shards ≤ limits::shards_max.
[[nodiscard]] SubscriptionCost measure_subscriptions(int shards, std::size_t filters);

}  // namespace gnomon::topic
