// Connection: what the profile allows beyond the protocol (profile.h).
#include <algorithm>
#include <chrono>

#include "broker/connection.h"
#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

namespace {

bool within(std::string_view topic, const Profile& profile) {
  if (topic.size() > profile.topic_bytes_max) return false;
  // The grammar has checked against the broker's own limit.
  if (profile.topic_levels_max >= limits::topic_levels_max) return true;
  return std::count(topic.begin(), topic.end(), '/') < profile.topic_levels_max;
}

}  // namespace

// What is wrong with it, or null.
const char* Connection::check_client_id(std::string_view client_id) const {
  const Profile& profile = shard_.profile_;
  if (client_id.size() > profile.client_id_bytes_max) return "the client id is too long";
  if (profile.reserved_client_ids && client_id.starts_with('$')) {
    return "client ids that begin with $ are reserved";
  }
  return nullptr;
}

bool Connection::allows_topic(std::string_view topic) const {
  return within(topic, shard_.profile_);
}

// The prefix of a shared one does not count, nor do its slashes (AWS IoT: shared subscriptions).
bool Connection::allows_filter(std::string_view filter) const {
  const topic::Shared shared = topic::split_shared(filter);
  return shared.name.size() <= shard_.profile_.share_name_bytes_max &&
         within(shared.filter, shard_.profile_);
}

std::uint16_t Connection::keep_alive_of(const mqtt::Connect& connect) const {
  const Profile& profile = shard_.profile_;
  if (profile.keep_alive_max_seconds == 0) return connect.keep_alive_seconds;
  if (connect.keep_alive_seconds == 0) return profile.keep_alive_max_seconds;
  return std::clamp(connect.keep_alive_seconds, profile.keep_alive_min_seconds,
                    profile.keep_alive_max_seconds);
}

std::uint32_t Connection::expiry_of(std::uint32_t seconds) const {
  return std::clamp(seconds, shard_.profile_.message_expiry_min_seconds,
                    shard_.profile_.message_expiry_max_seconds);
}

// More bytes than a second's worth are taken, but nothing further is read until they are paid for.
void Connection::throttle(std::size_t bytes) {
  const std::size_t rate = shard_.profile_.rates.bytes_in;
  if (!rated_ || rate == 0 || throttled_ || state_ == State::ended) return;
  const Instant now = shard_.loop_.now();
  const Duration wait =
      rated_->bytes_in.owe(now, static_cast<std::int64_t>(rate), static_cast<std::int64_t>(bytes));
  if (wait == Duration::zero()) return;
  throttled_ = true;
  shard_.counters_.add(Count::publisher_throttled);
  stream_->pause();
  shard_.loop_.timers().arm(*this, now + wait);
}

// More PUBLISHes than the rates allow: said so where the protocol can, discarded where not (AWS
// IoT: publish requests per second per connection). False: it is not one too many.
bool Connection::refuse_excess(const mqtt::Publish& publish) {
  const int rate = shard_.profile_.rates.publishes_in;
  const Instant now = shard_.loop_.now();
  if ((rate == 0 || rated_->publishes_in.take(now, rate)) &&
      shard_.rates_.may_publish(now, publish.topic, publish.retain)) {
    return false;
  }
  shard_.counters_.add(Count::publish_refused_rate);
  if (publish.qos == 1 && machine_.is_v5()) {
    machine_.ack(
        {mqtt::PacketType::puback, publish.packet_id, mqtt::Reason::quota_exceeded,
         "more messages a second than a connection, or all of them, may publish or retain"},
        shard_.answers_);
  }
  return true;
}

}  // namespace gnomon::broker
