#include "broker/presence.h"

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "base/limits.h"
#include "topic/topic.h"

namespace gnomon::broker {

std::string_view name_of(DisconnectReason reason) {
  switch (reason) {
    case DisconnectReason::auth_error:
      return "AUTH_ERROR";
    case DisconnectReason::client_initiated_disconnect:
      return "CLIENT_INITIATED_DISCONNECT";
    case DisconnectReason::client_error:
      return "CLIENT_ERROR";
    case DisconnectReason::connection_lost:
      return "CONNECTION_LOST";
    case DisconnectReason::duplicate_client_id:
      return "DUPLICATE_CLIENTID";
    case DisconnectReason::forbidden_access:
      return "FORBIDDEN_ACCESS";
    case DisconnectReason::mqtt_keep_alive_timeout:
      return "MQTT_KEEP_ALIVE_TIMEOUT";
    case DisconnectReason::server_error:
      return "SERVER_ERROR";
    case DisconnectReason::server_initiated_disconnect:
      return "SERVER_INITIATED_DISCONNECT";
    case DisconnectReason::api_initiated_disconnect:
      return "API_INITIATED_DISCONNECT";
    case DisconnectReason::throttled:
      return "THROTTLED";
    case DisconnectReason::websocket_ttl_expiration:
      return "WEBSOCKET_TTL_EXPIRATION";
  }
  return "SERVER_ERROR";
}

// RFC 9562: a random one, version 4.
std::string to_uuid(SessionIdentifier bytes) {
  constexpr char digits[] = "0123456789abcdef";
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0FU) | 0x40U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3FU) | 0x80U);
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += digits[bytes[i] >> 4U];
    out += digits[bytes[i] & 15U];
  }
  return out;
}

// ---- events

namespace {

// What all of them begin with; still open.
std::string begin(std::string_view client_id, WallTime at, std::string_view type) {
  std::string out = "{\"clientId\":";
  append_json(out, client_id);
  out += ",\"timestamp\":" + std::to_string(at.ms) + ",\"eventType\":";
  append_json(out, type);
  return out;
}

void add_session(std::string& out, const SessionIdentifier& session, std::string_view principal) {
  out += ",\"sessionIdentifier\":\"" + to_uuid(session) + "\",\"principalIdentifier\":";
  append_json(out, principal);
}

void add_address(std::string& out, const runtime::Peer& peer) {
  out += ",\"ipAddress\":";
  append_json(out, peer.address());
}

std::string_view prefix_of(EventKind kind) {
  switch (kind) {
    case EventKind::connected:
      return "$aws/events/presence/connected/";
    case EventKind::disconnected:
      return "$aws/events/presence/disconnected/";
    case EventKind::connect_failed:
      return "$aws/events/presence/connect_failed/";
    case EventKind::subscribed:
      return "$aws/events/subscriptions/subscribed/";
    case EventKind::unsubscribed:
      return "$aws/events/subscriptions/unsubscribed/";
  }
  return {};
}

}  // namespace

std::string event_topic(EventKind kind, std::string_view client_id) {
  std::string topic(prefix_of(kind));
  topic += client_id;
  // Wildcards are no part of a name.
  return topic::check_name(topic) == topic::Fault::none ? topic : std::string();
}

// A wildcard in front matches no topic with `$` (MQTT 5 §4.7.2).
bool may_want_events(std::string_view filter) {
  constexpr std::string_view first = "$aws/";
  if (!filter.starts_with(first)) return false;
  filter.remove_prefix(first.size());
  const std::string_view second = filter.substr(0, filter.find('/'));
  return second == "events" || second == "+" || second == "#";
}

std::string event_of(const PresenceChange& change) {
  std::string out =
      begin(change.client_id, change.at, change.connected ? "connected" : "disconnected");
  if (!change.connected) {
    const bool by_client = change.why == DisconnectReason::client_initiated_disconnect;
    out += ",\"clientInitiatedDisconnect\":";
    out += by_client ? "true" : "false";
  }
  add_session(out, change.session, change.principal);
  if (change.connected) {
    if (change.peer != nullptr) add_address(out, *change.peer);
  } else {
    out += ",\"disconnectReason\":";
    append_json(out, name_of(change.why));
  }
  return out += ",\"versionNumber\":" + std::to_string(change.version) + "}";
}

std::string event_of(const FailedConnect& failed) {
  std::string out = begin(failed.client_id, failed.at, "connect_failed");
  out += ",\"connectFailureReason\":\"AUTHORIZATION_FAILED\"";
  add_session(out, failed.session, failed.principal);
  add_address(out, failed.peer);
  return out += '}';
}

std::string event_of(const SubscriptionEvent& event) {
  std::string out =
      begin(event.client_id, event.at, event.subscribed ? "subscribed" : "unsubscribed");
  add_session(out, event.session, event.principal);
  out += ",\"topics\":[";
  for (std::size_t i = 0; i < event.topics.size(); ++i) {
    if (i > 0) out += ',';
    append_json(out, event.topics[i]);
  }
  return out += "]}";
}

// ---- version numbers

void Versions::turn(Instant now) {
  older_ = std::exchange(recent_, {});
  turn_at_ = now + limits::versions_remembered;
}

void Versions::pass(Instant now) {
  if (!turn_at_) {
    floor_until_ = now + limits::versions_remembered;
    turn(now);
  }
  if (now < *turn_at_) return;
  if (now >= *turn_at_ + limits::versions_remembered) recent_ = {};
  turn(now);
}

std::uint64_t Versions::next(const std::string& client_id, Instant now) {
  pass(now);
  std::uint64_t next = now < floor_until_ ? floor_ : 0;
  for (Hour* hour : {&recent_, &older_}) {
    const auto found = hour->numbers.find(client_id);
    if (found == hour->numbers.end()) continue;
    next = std::max(next, found->second + 1);
    hour->numbers.erase(found);  // it is its connection's now
  }
  return next;
}

void Versions::left(const std::string& client_id, std::uint64_t version, Instant now) {
  pass(now);
  if (recent_.numbers.size() >= limits::versions_remembered_max) {
    if (now >= floor_until_) floor_ = 0;
    floor_ = std::max(floor_, older_.numbers.empty() ? 0 : older_.highest + 1);
    floor_until_ = now + limits::versions_remembered;
    turn(now);
  }
  recent_.numbers.insert_or_assign(client_id, version);
  recent_.highest = std::max(recent_.highest, version);
}

}  // namespace gnomon::broker
