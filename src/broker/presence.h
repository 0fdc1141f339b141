// Presence: who is connected, as events tell it to whoever subscribes (AWS IoT: "Lifecycle
// events"), and a module of the server that follows it. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "runtime/loop.h"
#include "store/store.h"

namespace gnomon::broker {

// Why a connection has ended, in the words of AWS IoT. CUSTOMAUTH_TTL_EXPIRATION is not among them:
// there are no custom authorisers yet.
enum class DisconnectReason : std::uint8_t {
  auth_error,
  client_initiated_disconnect,
  client_error,
  connection_lost,
  duplicate_client_id,
  forbidden_access,
  mqtt_keep_alive_timeout,
  server_error,
  server_initiated_disconnect,
  api_initiated_disconnect,
  throttled,
  websocket_ttl_expiration,
};
[[nodiscard]] std::string_view name_of(DisconnectReason reason);  // "AUTH_ERROR"

// Of one connection; the bytes of a UUID, random.
using SessionIdentifier = std::array<std::uint8_t, 16>;
[[nodiscard]] std::string to_uuid(SessionIdentifier bytes);

// A client has come or gone. Views: valid during the call.
struct PresenceChange {
  std::string_view client_id;
  bool connected = false;
  WallTime at{};
  DisconnectReason why = DisconnectReason::connection_lost;  // it has gone
  std::uint64_t version = 0;            // grows with each connection of the client id
  SessionIdentifier session{};          // of both, its coming and its going
  std::string_view principal{};         // empty in what PresenceObserver::presence() is told again
  const runtime::Peer* peer = nullptr;  // of one who comes now
};

// PresenceObserver: one for a server. Threads: each home's, that of the client id: what is told of
// one id comes in order and on one thread.
class PresenceObserver {
 public:
  virtual ~PresenceObserver() = default;
  // `batch`: what is appended is written by this home in the turn in which it is told, in front of
  // what it tells others. Not to block. Also called for clients that are there already, by
  // Shard::tell_connected(), and a second time for an end that a crash has hidden.
  virtual void presence(const PresenceChange& change, store::Batch& batch) = 0;
};

// ---- events

enum class EventKind : std::uint8_t {
  connected,
  disconnected,
  connect_failed,
  subscribed,
  unsubscribed,
};
// "$aws/events/presence/connected/lamp". Empty: nothing is told of this client id (AWS IoT: none
// with # or +), or it makes no topic.
[[nodiscard]] std::string event_topic(EventKind kind, std::string_view client_id);
// Whether topics of events may match the filter.
[[nodiscard]] bool may_want_events(std::string_view filter);

[[nodiscard]] std::string event_of(const PresenceChange& change);

// A CONNECT that policies have refused: it, or its will.
struct FailedConnect {
  std::string_view client_id;
  WallTime at{};
  SessionIdentifier session{};
  std::string_view principal;
  const runtime::Peer& peer;
};
[[nodiscard]] std::string event_of(const FailedConnect& failed);

struct SubscriptionEvent {
  std::string_view client_id;
  bool subscribed = true;
  WallTime at{};
  SessionIdentifier session{};
  std::string_view principal;
  std::span<const std::string> topics;
};
[[nodiscard]] std::string event_of(const SubscriptionEvent& event);

// ---- version numbers

// Versions: the number of a client id's next connection: one more than that of its last, and 0 for
// one that has not been here for an hour or two (AWS IoT: "about an hour"). Who has gone is
// remembered so long, bounded: of whom is forgotten earlier, numbers go on from the highest that
// was forgotten. They may skip, never fall.
// Owner: a keeper.
class Versions {
 public:
  // `floor`: numbers begin here during the first hour, above those of earlier runs.
  explicit Versions(std::uint64_t floor) : floor_(floor) {}

  std::uint64_t next(const std::string& client_id, Instant now);
  // Its connection with this number has ended.
  void left(const std::string& client_id, std::uint64_t version, Instant now);
  [[nodiscard]] std::size_t remembered() const {
    return recent_.numbers.size() + older_.numbers.size();
  }

 private:
  struct Hour {
    std::unordered_map<std::string, std::uint64_t> numbers;
    std::uint64_t highest = 0;
  };
  void pass(Instant now);
  void turn(Instant now);

  Hour recent_, older_;
  std::optional<Instant> turn_at_;  // then recent_ becomes older_
  std::uint64_t floor_;
  Instant floor_until_{};
};

}  // namespace gnomon::broker
