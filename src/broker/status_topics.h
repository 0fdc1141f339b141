// Status topics: what the server tells of itself under `$SYS`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gnomon::broker {

// Wildcards at the first level do not match `$` (MQTT 5 §4.7.2), so whoever wants something of the
// tree has a filter that begins so.
constexpr std::string_view status_prefix = "$SYS/";

struct StatusTopic {
  std::string topic, payload;
  bool operator==(const StatusTopic&) const = default;
};
// The whole tree at one moment. Immutable once shards have it. It lies in memory only: shards send
// it to new subscriptions as if it were retained.
using StatusTopics = std::vector<StatusTopic>;

}  // namespace gnomon::broker
