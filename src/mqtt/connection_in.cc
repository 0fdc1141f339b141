// Connection: from bytes to events.
#include <algorithm>

#include "base/utf8.h"
#include "mqtt/connection.h"
#include "mqtt/connection_state.h"
#include "mqtt/decode.h"
#include "mqtt/encode_control.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {
namespace {

constexpr unsigned bit(PacketType type) { return 1u << static_cast<unsigned>(type); }

constexpr unsigned both_take = bit(PacketType::publish) | bit(PacketType::puback) |
                               bit(PacketType::pubrec) | bit(PacketType::pubrel) |
                               bit(PacketType::pubcomp);
constexpr unsigned server_takes = both_take | bit(PacketType::subscribe) |
                                  bit(PacketType::unsubscribe) | bit(PacketType::pingreq) |
                                  bit(PacketType::disconnect);
constexpr unsigned client_takes =
    both_take | bit(PacketType::suback) | bit(PacketType::unsuback) | bit(PacketType::pingresp);

// Whether the low half of the first byte is what its type demands (MQTT 5 §2.1.3). PUBLISH has
// flags of its own. In 3.1 a repeated request has DUP set, and elsewhere the bits are "not used".
bool flags_good(Version version, PacketType type, unsigned flags) {
  if (type == PacketType::publish) return true;
  const bool is_request = type == PacketType::pubrel || type == PacketType::subscribe ||
                          type == PacketType::unsubscribe;
  if (version == Version::v31) return !is_request || (flags & 6u) == 2;
  return flags == (is_request ? 2u : 0u);
}

}  // namespace

struct Connection::Frame {
  std::uint8_t first = 0;
  std::size_t head = 0;   // bytes of the fixed header
  std::size_t total = 0;  // bytes of the packet; 0: its length is not there yet
};

Connection::Connection(Role role, const Settings& settings) : settings_(&settings), role_(role) {}
Connection::~Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

Connection::Extras& Connection::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

Event Connection::next(ByteView& in, Incoming& incoming, Buffer& out) {
  // The common case: an established connection with nothing kept, a whole packet at the front.
  if (kept_.empty() && state_ == State::established && in.size() >= 3) [[likely]] {
    const std::uint8_t* const at = in.data();
    std::size_t head = 2;
    std::size_t length = at[1];
    if (length >= 128) {
      // A third length byte, or one that the value does not need, is for the slow path.
      length = (length & 127) | std::size_t{at[2]} << 7;
      head = at[2] - 1u < 127u ? 3 : in.size() + 1;
    }
    const std::size_t total = head + length;
    if (total <= in.size() && total <= settings_->packet_bytes_max) [[likely]] {
      in = in.subspan(total);
      const ByteView body{at + head, length};
      if ((at[0] & 0xF0) == 0x30) [[likely]]
        return take_publish(at[0], body, incoming, out);
      if (!check_first_byte(at[0], incoming)) return refused(incoming, out);
      return take(at[0], body, incoming, out);
    }
  }
  return next_slow(in, incoming, out);
}

Event Connection::next_slow(ByteView& in, Incoming& incoming, Buffer& out) {
  if (consume_ != 0) drop_used();
  if (state_ == State::closed) {
    in = {};
    kept_.release();
    return Event::none;
  }
  if (state_ == State::connecting && role_ == Role::server) {
    keep(in);
    in = {};
    return Event::none;
  }
  if (!kept_.empty()) return next_kept(in, incoming, out);
  if (in.empty()) return Event::none;

  Frame frame;
  if (!read_frame(in, frame, incoming)) return refused(incoming, out);
  if (frame.total == 0 || in.size() < frame.total) {
    kept_.append(in);
    in = {};
    return Event::none;
  }
  const ByteView body = in.subspan(frame.head, frame.total - frame.head);
  in = in.subspan(frame.total);
  return take(frame.first, body, incoming, out);
}

// Completes the packet at the front of kept_ with just the bytes it lacks: what follows it in `in`
// is read in place.
Event Connection::next_kept(ByteView& in, Incoming& incoming, Buffer& out) {
  for (;;) {
    Frame frame;
    if (!read_frame(kept_.view(), frame, incoming)) return refused(incoming, out);
    const std::size_t have = kept_.size();
    if (frame.total != 0 && have >= frame.total) {
      consume_ = static_cast<std::uint32_t>(frame.total);
      return take(frame.first, kept_.view().subspan(frame.head, frame.total - frame.head), incoming,
                  out);
    }
    if (in.empty()) return Event::none;
    const std::size_t lacks = frame.total == 0 ? 1 : frame.total - have;
    const ByteView more = in.first(std::min(lacks, in.size()));
    kept_.append(more);
    in = in.subspan(more.size());
  }
}

// Drops the packet of the last event from kept_; nobody looks at it any more.
void Connection::drop_used() {
  kept_.consume(consume_);
  consume_ = 0;
  if (extras_ && !extras_->parked.empty()) {
    kept_.append(extras_->parked.view());
    extras_->parked.release();
  }
  if (kept_.empty()) kept_.release();
}

void Connection::keep(ByteView in) {
  if (in.empty()) return;
  // While an event's views point into kept_ it must not grow, as that may move it.
  Buffer& where = consume_ != 0 ? extras().parked : kept_;
  where.append(in);
}

std::size_t Connection::kept() const {
  return kept_.size() - consume_ + (extras_ ? extras_->parked.size() : 0);
}

bool Connection::read_frame(ByteView bytes, Frame& frame, Incoming& incoming) const {
  frame.first = bytes[0];
  if (!check_first_byte(frame.first, incoming)) return false;
  std::uint32_t length = 0;
  std::size_t size = 0;
  switch (wire::load_varint(bytes.data() + 1, bytes.size() - 1, length, size)) {
    case wire::Varint::cut_short:
      frame.total = 0;
      return true;
    case wire::Varint::malformed:
      return malformed(incoming, "remaining length is not a variable byte integer");
    case wire::Varint::good:
      break;
  }
  frame.head = 1 + size;
  frame.total = frame.head + length;
  const bool is_first = role_ == Role::server && state_ == State::start;
  const std::size_t most = is_first ? settings_->connect_bytes_max : settings_->packet_bytes_max;
  if (frame.total > most) return fail(incoming, Reason::packet_too_large, "packet too large");
  return true;
}

bool Connection::check_first_byte(std::uint8_t first, Incoming& incoming) const {
  const auto type = static_cast<PacketType>(first >> 4);
  if (state_ == State::start) {
    if (role_ == Role::client)
      return fail(incoming, Reason::protocol_error, "bytes before CONNECT was sent");
    if (type != PacketType::connect)
      return fail(incoming, Reason::protocol_error, "first packet is not CONNECT");
    if (first != 0x10) return malformed(incoming, "reserved flags of CONNECT are set");
    return true;
  }
  if (type == PacketType::reserved || (type == PacketType::auth && !is_v5()))
    return malformed(incoming, "reserved packet type");
  unsigned takes = role_ == Role::server ? server_takes : client_takes;
  if (role_ == Role::client) {
    if (state_ == State::connecting) takes = bit(PacketType::connack);
    if (is_v5() && state_ == State::established) takes |= bit(PacketType::disconnect);
  }
  if (is_v5()) takes |= bit(PacketType::auth);
  if ((takes & bit(type)) == 0)
    return fail(incoming, Reason::protocol_error,
                type == PacketType::connect ? "second CONNECT"
                : role_ == Role::server     ? "packet that only a server sends"
                                            : "packet that a server does not send now");
  if (!flags_good(version_, type, first & 15u))
    return malformed(incoming, "reserved flags are set");
  return true;
}

// A whole packet whose first byte is checked.
Event Connection::take(std::uint8_t first, ByteView body, Incoming& incoming, Buffer& out) {
  const auto type = static_cast<PacketType>(first >> 4);
  const DecodeContext context{*settings_, role_, version_};
  switch (type) {
    case PacketType::publish:
      return take_publish(first, body, incoming, out);
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp:
      return decode_ack(context, type, body, incoming) ? Event::ack : refused(incoming, out);
    case PacketType::pingreq:
      if (!body.empty())
        return refused(Reason::malformed_packet, "PINGREQ with a body", incoming, out);
      out.push_u16(0xD000);  // PINGRESP
      return Event::pingreq;
    case PacketType::pingresp:
      if (!body.empty())
        return refused(Reason::malformed_packet, "PINGRESP with a body", incoming, out);
      return Event::pingresp;
    case PacketType::subscribe:
      return decode_subscribe(context, body, incoming) ? Event::subscribe : refused(incoming, out);
    case PacketType::unsubscribe:
      return decode_unsubscribe(context, body, incoming) ? Event::unsubscribe
                                                         : refused(incoming, out);
    case PacketType::suback:
    case PacketType::unsuback:
      return decode_subscribe_ack(context, type, body, incoming) ? Event::suback
                                                                 : refused(incoming, out);
    case PacketType::connect:
      return take_connect(body, incoming, out);
    case PacketType::connack:
      return take_connack(body, incoming, out);
    case PacketType::disconnect:
      return take_disconnect(body, incoming, out);
    case PacketType::auth:
      if (!authenticates_)
        return refused(Reason::protocol_error, "AUTH, but CONNECT named no method", incoming, out);
      return decode_auth(context, body, incoming) ? Event::auth : refused(incoming, out);
    case PacketType::reserved:
      break;
  }
  return refused(Reason::malformed_packet, "reserved packet type", incoming, out);
}

Event Connection::take_publish(std::uint8_t first, ByteView body, Incoming& incoming, Buffer& out) {
  const std::uint8_t qos = (first >> 1) & 3;
  const std::size_t after_topic = qos > 0 ? 2 : 0;
  const std::size_t topic_size = body.size() >= 2 ? wire::load_u16(body.data()) : 0;
  if (body.size() < 2 + topic_size + after_topic) [[unlikely]]
    return refused(Reason::malformed_packet, "PUBLISH cut short", incoming, out);
  const std::uint8_t* at = body.data() + 2;

  Publish& publish = incoming.publish;
  publish.topic = {reinterpret_cast<const char*>(at), topic_size};
  if (publish.topic != incoming.known_topic && !is_mqtt_utf8(publish.topic)) [[unlikely]]
    return refused(Reason::malformed_packet, "topic is not valid UTF-8", incoming, out);
  at += topic_size;

  publish.qos = qos;
  publish.retain = (first & 1) != 0;
  publish.dup = (first & 8) != 0;
  if (qos == 0) {
    publish.packet_id = 0;
    // 3.1.1 §3.3.1.1 [MQTT-3.3.1-2]; 3.1 only says where the flag applies.
    if (publish.dup && version_ != Version::v31) [[unlikely]]
      return refused(Reason::malformed_packet, "PUBLISH with QoS 0 is marked as sent before",
                     incoming, out);
  } else {
    publish.packet_id = wire::load_u16(at);
    at += 2;
    if (qos == 3) [[unlikely]]
      return refused(Reason::malformed_packet, "PUBLISH with QoS 3", incoming, out);
    if (publish.packet_id == 0) [[unlikely]]
      return refused(Reason::protocol_error, "packet id is 0", incoming, out);
    // MQTT 5 §3.3.4. In 3.1.1 only the packet ids limit how many there are.
    if (receiving_ >= receiving_max_) [[unlikely]]
      return refused(Reason::receive_maximum_exceeded, "more than the receive maximum in flight",
                     incoming, out);
    ++receiving_;
  }

  publish.properties = {};
  publish.expiry_seconds.reset();
  publish.alias = 0;
  if (!publish.subscription_ids.empty()) publish.subscription_ids.clear();

  const std::uint8_t* const end = body.data() + body.size();
  ByteView rest{at, static_cast<std::size_t>(end - at)};
  if (version_ == Version::v5) {
    if (!rest.empty() && rest[0] == 0) [[likely]] {
      rest = rest.subspan(1);
    } else if (!decode_publish_properties({*settings_, role_, version_}, rest, incoming)) {
      return refused(incoming, out);
    }
    if ((publish.alias != 0 || topic_size == 0) && !resolve_alias(publish, incoming))
      return refused(incoming, out);
  } else if (topic_size == 0) [[unlikely]] {
    return refused(Reason::protocol_error, "PUBLISH with an empty topic", incoming, out);
  }
  publish.payload = rest;
  return Event::publish;
}

// MQTT 5 §3.3.2.3.4, §3.3.4.
bool Connection::resolve_alias(Publish& publish, Incoming& incoming) {
  if (publish.alias == 0)
    return fail(incoming, Reason::protocol_error, "PUBLISH with an empty topic and no alias");
  if (publish.alias > settings_->topic_alias_max)
    return fail(incoming, Reason::topic_alias_invalid, "topic alias above the maximum");
  std::vector<std::string>& aliases = extras().aliases_in;
  const std::size_t index = publish.alias - std::size_t{1};
  if (!publish.topic.empty()) {
    if (aliases.size() <= index) aliases.resize(index + 1);
    if (aliases[index] != publish.topic) aliases[index] = publish.topic;
    return true;
  }
  if (index >= aliases.size() || aliases[index].empty())
    return fail(incoming, Reason::protocol_error, "topic alias that stands for no topic");
  publish.topic = aliases[index];
  return true;
}

Event Connection::take_connect(ByteView body, Incoming& incoming, Buffer& out) {
  const Greeting greeting = read_greeting(body, version_);
  if (greeting == Greeting::foreign)
    return refused(Reason::malformed_packet, "CONNECT does not open as MQTT does", incoming, out);
  if (greeting != Greeting::known) {
    // Only the bare code: who knows what else its sender reads.
    version_ = greeting == Greeting::too_new ? Version::v5 : Version::v311;
    state_ = State::connecting;
    peer_wants_problems_ = false;
    return refused(Reason::unsupported_protocol_version, "protocol version not supported", incoming,
                   out);
  }
  state_ = State::connecting;  // from here on a CONNACK can be said
  if (!decode_connect({*settings_, role_, version_}, body, incoming)) return refused(incoming, out);
  const Connect& connect = incoming.connect;
  peer_receive_maximum_ = connect.receive_maximum;
  peer_topic_alias_max_ = std::min(connect.topic_alias_maximum, settings_->topic_alias_max);
  if (connect.maximum_packet_size != 0) peer_packet_bytes_max_ = connect.maximum_packet_size;
  peer_wants_problems_ = connect.request_problem_information;
  authenticates_ = connect.authentication_method.has_value();
  session_expires_ = connect.session_expiry_seconds != 0;
  if (is_v5()) receiving_max_ = settings_->receive_maximum;
  return Event::connect;
}

Event Connection::take_connack(ByteView body, Incoming& incoming, Buffer& out) {
  if (!decode_connack({*settings_, role_, version_}, body, incoming)) return refused(incoming, out);
  const Connack& connack = incoming.connack;
  peer_receive_maximum_ = connack.receive_maximum;
  peer_topic_alias_max_ = std::min(connack.topic_alias_maximum, settings_->topic_alias_max);
  if (connack.maximum_packet_size != 0) peer_packet_bytes_max_ = connack.maximum_packet_size;
  state_ = connack.reason == Reason::success ? State::established : State::closed;
  return Event::connack;
}

Event Connection::take_disconnect(ByteView body, Incoming& incoming, Buffer& out) {
  if (!decode_disconnect({*settings_, role_, version_}, body, incoming))
    return refused(incoming, out);
  // MQTT 5 §3.14.2.2.2.
  if (incoming.disconnect.session_expiry_seconds.value_or(0) != 0 && !session_expires_)
    return refused(Reason::protocol_error, "DISCONNECT sets an expiry where CONNECT had none",
                   incoming, out);
  state_ = State::closed;
  return Event::disconnect;
}

[[gnu::cold, gnu::noinline]] Event Connection::refused(Reason reason, const char* what,
                                                       Incoming& incoming, Buffer& out) {
  incoming.fault = {reason, what};
  return refused(incoming, out);
}

// Says what the protocol lets one say of incoming.fault, and ends the connection.
[[gnu::cold, gnu::noinline]] Event Connection::refused(Incoming& incoming, Buffer& out) {
  const Fault fault = incoming.fault;
  if (state_ == State::connecting && role_ == Role::server) {
    refuse(fault.reason, fault.what, out);
  } else if (state_ == State::established && is_v5()) {
    Disconnect farewell;
    farewell.reason = fault.reason;
    farewell.reason_string = fault.what;
    disconnect(farewell, out);
  }
  state_ = State::closed;
  return Event::refused;
}

}  // namespace gnomon::mqtt
