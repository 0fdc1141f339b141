// Profile: what the broker offers, and announces in CONNACK.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/limits.h"
#include "mqtt/connection.h"

namespace gnomon::broker {

// One object per server, the same for all shards. What is false or 0 here is refused with its
// reason, never ignored.
struct Profile {
  std::uint8_t maximum_qos = 2;  // of PUBLISHes; subscriptions are granted at most it
  bool retain_available = true;
  bool shared_subscription_available = true;
  std::uint32_t session_expiry_max_seconds = limits::session_expiry_max_seconds;
  std::uint64_t queue_messages_max = limits::session_messages_max;  // of one session
  std::uint64_t queue_bytes_max = limits::session_bytes_max;
  std::chrono::milliseconds will_grace = limits::will_grace;
  bool local = true;  // loopback connections are the principal `local`
  mqtt::Settings mqtt{.packet_bytes_max = limits::packet_bytes_max,
                      .connect_bytes_max = limits::connect_bytes_max,
                      .properties_bytes_max = limits::properties_bytes_max,
                      .user_properties_max = limits::user_properties_max,
                      .receive_maximum = limits::receive_maximum,
                      .topic_alias_max = limits::topic_alias_max};
};

}  // namespace gnomon::broker
