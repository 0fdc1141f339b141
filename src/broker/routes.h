// Routes: where the messages of a topic go, remembered.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "topic/index.h"
#include "topic/interest.h"

namespace gnomon::broker {

class Connection;

// What a number of subscriptions of one receiver come to together: one copy, with the highest QoS
// and every subscription identifier (MQTT 5 §3.3.4).
struct Terms {
  std::uint8_t qos = 0;              // the highest
  bool retain_as_published = false;  // one of them says so
  std::uint16_t identifiers = 0;     // how many have one
  std::uint16_t subscriptions = 0;
  void add(const topic::Options& options) {
    qos = std::max<std::uint8_t>(qos, options.qos);
    retain_as_published = retain_as_published || options.retain_as_published != 0;
    identifiers = static_cast<std::uint16_t>(identifiers + (options.identifier != 0 ? 1 : 0));
    ++subscriptions;
  }
};

// What a connection's permissions said of receiving a topic when they were last asked.
struct Ruling {
  std::uint32_t under = 0;  // Connection::permissions_number_ of that time; 0: never asked
  bool allowed = false;
};

// One receiver of a topic on this shard: a connection here.
struct Target {
  Connection* connection;
  std::uint32_t first_identifier;  // in Route::identifiers: those of `own` stand first
  Terms all;                       // for what others publish
  Terms own;                       // for what it publishes itself: without no-local subscriptions
  mutable Ruling ruling{};         // remembered on the way
};
// The same for a persistent session of this thread's keeper, connected or not.
struct KeptTarget {
  std::uint32_t session;
  std::uint32_t first_identifier;
  Terms all, own;
};

struct Route {
  std::string topic;
  std::uint64_t generation = 0;       // of the routing state it was computed from
  std::vector<Target> targets;        // connections with clean sessions
  std::vector<Target> online;         // connections with persistent ones: for QoS 0 only
  std::vector<KeptTarget> kept;       // sessions of this thread's keeper: for QoS 1 and 2 only
  std::vector<std::uint32_t> groups;  // share groups of this thread's keeper: for any QoS
  std::vector<std::uint32_t> identifiers;
  topic::OwnerMask remote = 0;       // other shards with connections that want it
  topic::OwnerMask kept_remote = 0;  // other shards with persistent sessions that want it
};

// Merges the matched subscriptions of each subscriber. Calls `emit(subscriber, all, own,
// first_identifier)`; the identifiers go to the route.
template <class Emit>
void merge(std::vector<topic::Subscription>& matched, Route& route, Emit&& emit) {
  const auto by_subscriber = [](const auto& a, const auto& b) {
    return a.subscriber < b.subscriber;
  };
  if (!std::is_sorted(matched.begin(), matched.end(), by_subscriber)) {
    std::sort(matched.begin(), matched.end(), by_subscriber);
  }
  for (auto first = matched.begin(); first != matched.end();) {
    const auto last = std::upper_bound(first, matched.end(), *first, by_subscriber);
    const auto first_identifier = static_cast<std::uint32_t>(route.identifiers.size());
    Terms all, own;
    for (const bool no_local : {false, true}) {
      for (auto each = first; each != last; ++each) {
        if ((each->options.no_local != 0) != no_local) continue;
        all.add(each->options);
        if (each->options.identifier != 0) route.identifiers.push_back(each->options.identifier);
      }
      if (!no_local) own = all;
    }
    emit(first->subscriber, all, own, first_identifier);
    first = last;
  }
}

// Routes: the routes of the topics in use on a shard, one for all publishers of a topic, so that
// 10,000 publishers to one topic with 100,000 receivers remember it once.
// Bounded in topics and in targets: a full cache is emptied, at worst one match per topic again.
// Route objects are recycled, so that topics used once do not allocate each time.
// Owner: one shard.
class Routes {
 public:
  explicit Routes(std::uint64_t seed);

  // The route of a topic: to be computed again if its generation is not the current one. Valid
  // until epoch() changes, which happens in find() only.
  Route& find(std::string_view topic);
  // A Route pointer taken in an older epoch is dead.
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  // Bookkeeping after a route was computed.
  void computed(const Route& route) {
    targets_ += route.targets.size() + route.online.size() + route.kept.size();
  }

 private:
  // A power of two, half full at most.
  static constexpr std::size_t table_size = 2 * limits::route_topics_max;

  void clear();

  std::uint64_t seed_;
  std::uint64_t epoch_ = 1;
  std::size_t targets_ = 0;
  std::size_t used_ = 0;              // routes in use: a prefix of routes_
  std::deque<Route> routes_;          // stable addresses
  std::vector<std::uint32_t> table_;  // hash → position in routes_ + 1; 0: free
};

}  // namespace gnomon::broker
