// What a shard counts.
#pragma once

#include <array>
#include <cstdint>

#include "metrics/metrics.h"

namespace gnomon::broker {

// Positions in a shard's counters, in the order of counter_rows.
enum class Count : std::uint8_t {
  connections,    // gauge
  subscriptions,  // gauge
  filters,        // gauge
  sessions,       // gauge
  sessions_away,  // gauge
  queued,         // gauge
  ready_bytes,    // gauge
  share_members,  // gauge
  held,           // gauge
  pressed,        // gauge
  connects,
  connect_refused_identity,
  connect_refused_policy,
  connect_refused_protocol,
  connect_refused_unsupported,
  connect_refused_limit,
  connect_refused_busy,
  connect_refused_overload,
  connect_refused_quota,
  connect_refused_starting,
  connect_timeouts,
  disconnects_client,
  disconnects_lost,
  disconnects_keep_alive,
  disconnects_taken_over,
  disconnects_protocol,
  disconnects_refused,
  disconnects_slow,
  disconnects_shutdown,
  disconnects_administrative,
  disconnects_policy,
  received_qos0,
  received_qos1,
  received_qos2,
  sent_qos0,
  sent_qos1,
  sent_qos2,
  resent,
  mailed,
  dropped_slow_subscriber,
  dropped_queue_full,
  dropped_too_large,
  dropped_expired,
  dropped_rate,
  dropped_policy,
  dropped_overload,
  publish_refused_qos,
  publish_refused_retain,
  publish_refused_reserved,
  publish_refused_topic,
  publish_refused_quota,
  publish_refused_rate,
  publish_refused_size,
  publish_refused_policy,
  publish_refused_overload,
  subscribe_refused_filter,
  subscribe_refused_unsupported,
  subscribe_refused_quota,
  subscribe_refused_policy,
  rechecks,
  wills_published,
  presence_events,
  sessions_resumed,
  sessions_expired,
  queue_refused_full,
  queue_refused_disk,
  shared_returned,
  duplicates,
  retained_stored,
  retained_sent,
  publisher_pauses,
  publisher_throttled,
  publisher_withheld,
  publisher_held,
  publisher_yielded,
  pressure_slow,
  pressure_refuse,
  turns,
  reads,
  writes,
  bytes_received,
  bytes_sent,
  short_writes,
  wakes,
  count_
};
constexpr std::size_t counters = static_cast<std::size_t>(Count::count_);
extern const std::array<metrics::Row, counters> counter_rows;

// Plain words of their owner.
class Counters {
 public:
  void add(Count count, std::uint64_t by = 1) { values_[static_cast<std::size_t>(count)] += by; }
  void set(Count count, std::uint64_t value) { values_[static_cast<std::size_t>(count)] = value; }
  [[nodiscard]] std::uint64_t get(Count count) const {
    return values_[static_cast<std::size_t>(count)];
  }
  [[nodiscard]] metrics::Sample sample() const {
    return {counter_rows, {values_.begin(), values_.end()}};
  }

 private:
  std::array<std::uint64_t, counters> values_{};
};

}  // namespace gnomon::broker
