// ShardRates: one shard's share of what the whole server may do in a second. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/limits.h"
#include "broker/profile.h"
#include "broker/rate.h"

namespace gnomon::broker {

// Shards share the server's rates evenly, as the acceptor shares the connections: nothing is asked
// across them. One topic's rate holds for what one shard publishes to it.
class ShardRates {
 public:
  ShardRates(const Rates& rates, int shards) : rates_(rates), shards_(shards) {}

  bool may_connect(Instant now) { return take(connects_, now, rates_.connects); }
  bool may_subscribe(Instant now) { return take(subscribes_, now, rates_.subscribes); }
  bool may_deliver(Instant now) { return take(deliveries_, now, rates_.deliveries); }
  bool may_publish(Instant now, std::string_view topic, bool retain) {
    return take(publishes_, now, rates_.publishes) &&
           (!retain || (may_retain(now, topic) && take(retained_, now, rates_.retained)));
  }

 private:
  bool take(Rate& rate, Instant now, int per_second) const {
    return per_second == 0 || rate.take(now, std::max(1, per_second / shards_));
  }
  // What is remembered is bounded: a topic that is forgotten may at once.
  bool may_retain(Instant now, std::string_view topic) {
    if (rates_.retained_per_topic == 0) return true;
    if (topics_.size() >= limits::rates_remembered_max) topics_.clear();
    return topics_[std::string(topic)].take(now, rates_.retained_per_topic);
  }

  const Rates& rates_;
  const int shards_;
  Rate connects_, subscribes_, publishes_, deliveries_, retained_;
  std::unordered_map<std::string, Rate> topics_;  // only if the profile limits them
};

}  // namespace gnomon::broker
