// Profile: what the broker offers, and announces in CONNACK.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/limits.h"
#include "mqtt/connection.h"

namespace gnomon::broker {

// What may happen in a second. 0: as often as one likes.
struct Rates {
  int publishes_in = 0;      // PUBLISHes of one connection; more are refused or discarded
  int publishes_out = 0;     // to one connection with a clean session; more are dropped
  int stored_out = 0;        // to one session, of what was stored before its client came back
  int shared_out = 0;        // to one member of what its group stored while nobody was here
  std::size_t bytes_in = 0;  // of one connection; what is more is read later
  int connects_per_client = 0;
  int shadow_requests = 0;     // for the shadows of one thing; more are rejected
  int retained_per_topic = 0;  // PUBLISHes with RETAIN
  // Of the whole server:
  int connects = 0;
  int publishes = 0;
  int deliveries = 0;  // to connections with clean sessions; more are dropped
  int retained = 0;    // PUBLISHes with RETAIN
  int subscribes = 0;  // filters
  [[nodiscard]] bool limit_connections() const {
    return publishes_in > 0 || publishes_out > 0 || bytes_in > 0;
  }
};

// One object per server, the same for all shards. What is false or 0 here is refused with its
// reason, never ignored. The defaults are the MQTT specification's and Gnomon's own.
struct Profile {
  std::uint8_t maximum_qos = 2;  // of PUBLISHes; subscriptions are granted at most it
  bool retain_available = true;
  bool shared_subscription_available = true;
  bool subscription_identifiers_available = true;
  bool hash_matches_parent = true;        // `a/#` matches `a`
  bool retained_for_wildcards = true;     // a filter with wildcards gets what is retained
  bool says_dup = true;                   // DUP is set on what is sent again
  bool disconnects_for_reserved = false;  // a PUBLISH to a `$` topic that clients may not use
  bool reserved_client_ids = false;       // those that begin with `$` are
  std::string_view assigned_id_prefix = "gnomon-";
  std::size_t client_id_bytes_max = limits::client_id_bytes_max;
  std::size_t topic_bytes_max = limits::topic_bytes_max;  // a filter's without `$share/NAME/`
  int topic_levels_max = limits::topic_levels_max;
  std::size_t share_name_bytes_max = limits::topic_bytes_max;
  std::size_t share_members_max = limits::share_members_max;  // of one group
  std::size_t payload_bytes_max = limits::packet_bytes_max;
  int subscriptions_per_packet = limits::subscriptions_per_packet;
  std::size_t subscriptions_per_session = limits::subscriptions_per_session;
  std::uint16_t keep_alive_min_seconds = 0;  // 0: as the client says, also none
  std::uint16_t keep_alive_max_seconds = 0;  // the same
  std::uint32_t message_expiry_max_seconds = UINT32_MAX;
  std::uint32_t message_expiry_min_seconds = 0;
  std::uint16_t inflight_max = limits::inflight_max;  // unacknowledged PUBLISHes to a client
  std::uint32_t session_expiry_max_seconds = limits::session_expiry_max_seconds;
  std::uint64_t queue_messages_max = limits::session_messages_max;  // of one session
  std::uint64_t queue_bytes_max = limits::session_bytes_max;
  int shadow_requests_max = 0;              // open, for the shadows of one thing; 0: no matter
  int connections_max = 0;                  // of the server; 0: as many as it has descriptors
  std::uint64_t retained_messages_max = 0;  // of the server; 0: as the disk allows
  std::uint64_t held_bytes_max = limits::held_bytes_max;  // of all shards (pressure.h)
  std::chrono::milliseconds connect_timeout = limits::connect_timeout;
  std::chrono::milliseconds will_grace = limits::will_grace;
  std::chrono::seconds resend_every{0};  // QoS 1, unacknowledged while the client is here; 0: never
  std::chrono::seconds resend_for{0};    // then it counts as delivered
  Rates rates;
  mqtt::Settings mqtt{.packet_bytes_max = limits::packet_bytes_max,
                      .connect_bytes_max = limits::connect_bytes_max,
                      .properties_bytes_max = limits::properties_bytes_max,
                      .user_properties_max = limits::user_properties_max,
                      .receive_maximum = limits::receive_maximum,
                      .topic_alias_max = limits::topic_alias_max};
};

// What AWS IoT Core offers, and its quotas (compat = "aws").
[[nodiscard]] Profile aws_profile();

}  // namespace gnomon::broker
