// Connection: encoders that know what was negotiated.
#include <algorithm>
#include <cstring>

#include "mqtt/connection.h"
#include "mqtt/connection_state.h"
#include "mqtt/encode.h"
#include "mqtt/encode_control.h"
#include "mqtt/publish_layout.h"

namespace gnomon::mqtt {
namespace {

// A number that two topics rarely share, from their ends: cheaper than a hash of all of it.
std::uint64_t sign_of(std::string_view topic) {
  std::uint64_t front = 0;
  std::uint64_t back = 0;
  const std::size_t count = std::min(topic.size(), sizeof front);
  if (count != 0) {
    std::memcpy(&front, topic.data(), count);
    std::memcpy(&back, topic.data() + topic.size() - count, count);
  }
  return front * 31 + back + topic.size();
}

}  // namespace

template <class Encode>
bool Connection::send(Buffer& out, Encode encode) const {
  const std::size_t start = out.size();
  for (const bool extra : {true, false}) {
    if (extra && !peer_wants_problems_) continue;
    encode(extra);
    if (out.size() - start <= peer_packet_bytes_max_) return true;
    out.truncate(start);
  }
  return false;
}

void Connection::accept(const Connack& connack, Buffer& out) {
  if (state_ != State::connecting) return;
  if (connack.reason != Reason::success) return refuse(connack.reason, connack.reason_string, out);
  Connack answer = connack;
  answer.receive_maximum = settings_->receive_maximum;
  answer.topic_alias_maximum = settings_->topic_alias_max;
  answer.maximum_packet_size = settings_->packet_bytes_max >= publish_bytes_max
                                   ? 0
                                   : static_cast<std::uint32_t>(settings_->packet_bytes_max);
  const bool sent = send(out, [&](bool extra) { append_connack(version_, answer, extra, out); });
  state_ = sent ? State::established : State::closed;
  if (sent) return;
  // The peer takes too little even for a CONNACK: that is what it is told, if it takes that.
  answer = Connack();
  answer.reason = Reason::packet_too_large;
  (void)send(out, [&](bool extra) { append_connack(version_, answer, extra, out); });
}

void Connection::refuse(Reason reason, std::string_view reason_string, Buffer& out) {
  const bool can_answer = state_ == State::connecting && role_ == Role::server;
  state_ = State::closed;
  if (!can_answer || (!is_v5() && return_code(reason) == 0)) return;
  Connack answer;
  answer.reason = reason;
  answer.reason_string = reason_string;
  (void)send(out, [&](bool extra) { append_connack(version_, answer, extra, out); });
}

bool Connection::suback(const SubscribeAck& ack, Buffer& out) {
  const auto failed = [](Reason reason) { return reason >= Reason::unspecified_error; };
  const bool unspeakable = version_ == Version::v31 && ack.type == PacketType::suback &&
                           std::any_of(ack.reasons.begin(), ack.reasons.end(), failed);
  if (!unspeakable &&
      send(out, [&](bool extra) { append_subscribe_ack(version_, ack, extra, out); }))
    return true;
  state_ = State::closed;
  return false;
}

void Connection::connect(const Connect& connect, Buffer& out) {
  version_ = connect.version;
  state_ = State::connecting;
  authenticates_ = connect.authentication_method.has_value();
  if (is_v5()) receiving_max_ = settings_->receive_maximum;
  Connect request = connect;
  request.receive_maximum = settings_->receive_maximum;
  request.topic_alias_maximum = settings_->topic_alias_max;
  request.maximum_packet_size = settings_->packet_bytes_max >= publish_bytes_max
                                    ? 0
                                    : static_cast<std::uint32_t>(settings_->packet_bytes_max);
  append_connect(request, out);
}

void Connection::subscribe(const Subscribe& subscribe, Buffer& out) {
  append_subscribe(version_, subscribe, out);
}

void Connection::unsubscribe(const Unsubscribe& unsubscribe, Buffer& out) {
  append_unsubscribe(version_, unsubscribe, out);
}

void Connection::pingreq(Buffer& out) { out.push_u16(0xC000); }

bool Connection::ack(const Ack& ack, Buffer& out) {
  const bool failed = ack.reason >= Reason::unspecified_error;
  const bool is_first_answer = ack.type == PacketType::puback || ack.type == PacketType::pubrec;
  if (failed && is_first_answer && !is_v5()) {
    state_ = State::closed;
    return false;
  }
  // MQTT 5 §4.9: never above where it began, also if this ends an exchange of a former connection.
  const bool is_final = ack.type == PacketType::puback || ack.type == PacketType::pubcomp ||
                        (ack.type == PacketType::pubrec && failed);
  if (is_final && receiving_ > 0) --receiving_;
  // A peer that does not take even these few bytes gets none, as MQTT 5 §3.1.2.11.4 has it.
  (void)send(out, [&](bool extra) { append_ack(version_, ack, extra, out); });
  return true;
}

bool Connection::publish(const Publish& publish, Buffer& out) {
  const std::size_t most = std::min<std::size_t>(peer_packet_bytes_max_, publish_bytes_max);
  std::string_view topic = publish.topic;
  std::uint16_t alias = 0;
  bool is_new = false;
  if (peer_topic_alias_max_ > 0 && is_v5()) {
    alias = alias_for(topic, is_new);
    if (alias != 0 && !is_new) topic = {};
  }
  PublishLayout layout = layout_of(version_, publish, topic, alias);
  if (layout.total > most && is_new) {
    // To introduce an alias takes three bytes more than to do without.
    alias = 0;
    is_new = false;
    layout = layout_of(version_, publish, topic, 0);
  }
  if (layout.total > most) return false;
  write_publish(version_, publish, topic, alias, layout, out.room(layout.total));
  out.grew(layout.total);
  if (is_new) {
    // Only now: had the packet not gone out, the peer would not know the alias.
    Extras& mine = extras();
    mine.alias_signs.push_back(sign_of(topic));
    mine.aliases_out.emplace_back(topic);
  }
  return true;
}

// The alias of `topic`, or the next free one if it has none; 0 if all are taken. First come: a
// receiver of few topics saves most, and of many none would last.
std::uint16_t Connection::alias_for(std::string_view topic, bool& is_new) {
  constexpr std::size_t alias_bytes = 3;  // a shorter topic is cheaper in full
  if (topic.size() <= alias_bytes) return 0;
  std::size_t taken = 0;
  if (extras_) {
    const std::vector<std::uint64_t>& signs = extras_->alias_signs;
    const std::uint64_t sign = sign_of(topic);
    for (std::size_t i = 0; i < signs.size(); ++i)
      if (signs[i] == sign && extras_->aliases_out[i] == topic)
        return static_cast<std::uint16_t>(i + 1);
    taken = signs.size();
  }
  if (taken >= peer_topic_alias_max_) return 0;
  is_new = true;
  return static_cast<std::uint16_t>(taken + 1);
}

void Connection::disconnect(const Disconnect& disconnect, Buffer& out) {
  // Before its CONNACK a server has nothing else to say; a client may leave at once.
  const bool may_speak = role_ == Role::server
                             ? state_ == State::established && is_v5()
                             : state_ == State::connecting || state_ == State::established;
  state_ = State::closed;
  if (!may_speak) return;
  Disconnect farewell = disconnect;
  if (role_ == Role::server) farewell.session_expiry_seconds.reset();  // MQTT 5 §3.14.2.2.2
  (void)send(out, [&](bool extra) { append_disconnect(version_, farewell, extra, out); });
}

}  // namespace gnomon::mqtt
