// What an administrator sees of the broker: copies, a page at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "broker/mail.h"
#include "mqtt/types.h"
#include "topic/index.h"

namespace gnomon::broker {

// A client id that is connected or has a session. A shard knows of a connection, the home of the
// client id of a persistent session.
struct ClientView {
  // Of a connection; none: not connected, or not known here.
  struct Connected {
    ShardId shard = 0;
    std::string address;  // "127.0.0.1:4711"
    mqtt::Version version = mqtt::Version::v5;
    std::uint16_t keep_alive_seconds = 0;
    std::chrono::milliseconds idle{};  // since its last packet
    std::size_t output_bytes = 0;      // not taken by it yet
  };
  // Of a session's messages; none: not known here.
  struct Messages {
    std::uint64_t queued = 0, bytes = 0;  // not acknowledged
    std::uint64_t in_flight = 0;          // of them sent
  };
  std::string client_id;
  std::optional<Connected> connected;
  std::optional<Messages> messages;
  bool persistent = false;
  std::uint32_t expiry_seconds = 0;  // of a persistent session
  WallTime gone{};                   // when its connection ended; 0: it is connected, or not known
  std::size_t subscriptions = 0;
};

struct SubscriptionView {
  std::string client_id, filter;  // whole, with $share
  topic::Options options;
};

// A page of a walk over places, which keep their numbers while clients come and go: what stays is
// seen once, what comes or goes meanwhile may be missed.
struct PagePlace {
  bool sessions = false;    // persistent sessions, else connections
  std::uint32_t index = 0;  // the place to go on at
  std::uint32_t inner = 0;  // how much of it is done: subscriptions of one client
};
struct ClientPage {
  PagePlace at;
  std::size_t limit = 0;  // entries
  bool done = false;      // this shard has no more of its kind
  std::vector<ClientView> clients;
};
struct SubscriptionPage {
  PagePlace at;
  std::size_t limit = 0;
  bool done = false;
  std::vector<SubscriptionView> subscriptions;
  [[nodiscard]] bool full() const { return subscriptions.size() >= limit; }
};

// What the home of a client id knows.
struct ClientRecord {
  std::optional<ClientView> session;            // persistent
  std::vector<SubscriptionView> subscriptions;  // of it, at most limits::admin_subscriptions_max
  std::optional<ConnectionRef> holder;          // its connection
};

}  // namespace gnomon::broker
