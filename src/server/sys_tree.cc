#include "server/sys_tree.h"

#include <cstdint>
#include <string>
#include <utility>

#include "base/version.h"

namespace gnomon::server {

using broker::Count;
using broker::Counters;
using broker::StatusTopics;

StatusTopics sys_topics(const std::vector<Counters>& shards, std::chrono::seconds uptime) {
  const auto sum = [&](auto... counts) {
    std::uint64_t all = 0;
    for (const Counters& shard : shards) all += (shard.get(counts) + ...);
    return std::to_string(all);
  };
  return {
      {"$SYS/broker/version", "gnomon version " + std::string(version())},
      {"$SYS/broker/uptime", std::to_string(uptime.count()) + " seconds"},
      {"$SYS/broker/clients/connected", sum(Count::connections)},
      {"$SYS/broker/clients/disconnected", sum(Count::sessions_away)},
      {"$SYS/broker/clients/total", sum(Count::connections, Count::sessions_away)},
      {"$SYS/broker/clients/expired", sum(Count::sessions_expired)},
      {"$SYS/broker/subscriptions/count", sum(Count::subscriptions)},
      {"$SYS/broker/publish/messages/received",
       sum(Count::received_qos0, Count::received_qos1, Count::received_qos2)},
      {"$SYS/broker/publish/messages/sent",
       sum(Count::sent_qos0, Count::sent_qos1, Count::sent_qos2)},
      {"$SYS/broker/publish/messages/dropped",
       sum(Count::dropped_slow_subscriber, Count::dropped_queue_full, Count::dropped_overload)},
      {"$SYS/broker/bytes/received", sum(Count::bytes_received)},
      {"$SYS/broker/bytes/sent", sum(Count::bytes_sent)},
  };
}

// What the shards have told for one tree. Each shard's thread writes its own elements.
struct SysTree::Gather {
  explicit Gather(std::size_t shards) : counters(shards), filters(shards), missing(shards) {}
  std::vector<Counters> counters;
  std::vector<int> filters;
  std::atomic<std::size_t> missing;
};

SysTree::SysTree(std::chrono::seconds interval, runtime::Loop& control,
                 const std::vector<std::unique_ptr<runtime::Loop>>& loops,
                 const std::vector<std::unique_ptr<broker::Shard>>& shards)
    : interval_(interval),
      control_(control),
      loops_(loops),
      shards_(shards),
      started_(control.now()) {
  std::vector<Counters> counters;
  counters.reserve(shards.size());
  for (const auto& shard : shards) counters.push_back(shard->sample());
  topics_ = std::make_shared<const StatusTopics>(sys_topics(counters, {}));
  for (const auto& shard : shards) shard->show(topics_);
}

void SysTree::on_timer() {
  begin();
  const auto gather = std::make_shared<Gather>(shards_.size());
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    loops_[i]->post([this, gather, i] {
      gather->counters[i] = shards_[i]->sample();
      gather->filters[i] = shards_[i]->status_filters();
      if (--gather->missing == 0) control_.post([this, gather] { gathered(*gather); });
    });
  }
}

void SysTree::gathered(const Gather& gather) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(control_.now() - started_);
  auto topics = std::make_shared<const StatusTopics>(sys_topics(gather.counters, uptime));
  const auto before = std::exchange(topics_, topics);
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    loops_[i]->post([shard = shards_[i].get(), topics] { shard->show(topics); });
  }
  int filters = 0;
  for (const int here : gather.filters) filters += here;
  if (filters == 0) return;
  loops_.front()->post([shard = shards_.front().get(), before, topics] {
    for (std::size_t i = 0; i < topics->size(); ++i) {
      const broker::StatusTopic& each = (*topics)[i];
      if (each == (*before)[i]) continue;
      message::Message message;
      message.topic = each.topic;
      message.payload = as_bytes(each.payload);
      shard->publish(message);
    }
  });
}

}  // namespace gnomon::server
