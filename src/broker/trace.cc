#include "broker/trace.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/limits.h"

namespace gnomon::broker {

namespace {

std::string name(std::string_view text) {
  if (text.size() <= limits::trace_text_bytes_max) return std::string(text);
  return std::string(text.substr(0, limits::trace_text_bytes_max)) + "…";
}

std::string_view type_name(unsigned type) {
  constexpr std::array<std::string_view, 16> names{
      "packet 0", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
      "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
      "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH"};
  return names[type & 15];
}

std::string with_reason(std::string text, mqtt::Reason reason) {
  if (reason == mqtt::Reason::success) return text;
  return (text += ": ") += mqtt::describe(reason);
}

std::string publish_text(std::string_view topic, unsigned qos, bool retain, bool dup,
                         std::uint16_t id, std::size_t bytes) {
  std::string text = "PUBLISH " + name(topic) + " QoS " + std::to_string(qos);
  if (qos > 0) text += " id " + std::to_string(id);
  if (retain) text += " retain";
  if (dup) text += " dup";
  return text + ", " + std::to_string(bytes) + " bytes";
}

std::string connect_text(const mqtt::Connect& connect) {
  std::string text = "CONNECT " + name(connect.client_id) + " version " +
                     std::to_string(static_cast<unsigned>(connect.version));
  text += connect.clean_start ? " clean" : " kept";
  text += " keep-alive " + std::to_string(connect.keep_alive_seconds);
  if (connect.session_expiry_seconds > 0) {
    text += " expiry " + std::to_string(connect.session_expiry_seconds);
  }
  if (connect.will) text += " will " + name(connect.will->topic);
  if (connect.username) text += " with user name";
  return text;
}

// Cursor over the bytes of a packet that we have encoded; zeros behind its end.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : rest_(bytes) {}
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t word() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8 | byte());
  }
  std::size_t varint() {
    std::size_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const std::uint8_t part = byte();
      value |= static_cast<std::size_t>(part & 0x7fU) << shift;
      if ((part & 0x80) == 0) break;
    }
    return value;
  }
  ByteView take(std::size_t count) {
    const ByteView taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  ByteView rest_;
};

}  // namespace

std::string describe(mqtt::Event event, const mqtt::Incoming& incoming) {
  using mqtt::Event;
  switch (event) {
    case Event::connect:
      return connect_text(incoming.connect);
    case Event::publish: {
      const mqtt::Publish& publish = incoming.publish;
      return publish_text(publish.topic, publish.qos, publish.retain, publish.dup,
                          publish.packet_id, publish.payload.size());
    }
    case Event::ack:
      return with_reason(std::string(type_name(static_cast<unsigned>(incoming.ack.type))) + ' ' +
                             std::to_string(incoming.ack.packet_id),
                         incoming.ack.reason);
    case Event::subscribe: {
      std::string text = "SUBSCRIBE " + std::to_string(incoming.subscribe.packet_id);
      for (const auto& entry : incoming.subscribe.entries) {
        if (text.size() > 2 * limits::trace_text_bytes_max) return text + " …";
        text += ' ' + name(entry.filter) + " (QoS " + std::to_string(entry.qos) + ')';
      }
      return text;
    }
    case Event::unsubscribe: {
      std::string text = "UNSUBSCRIBE " + std::to_string(incoming.unsubscribe.packet_id);
      for (const auto& filter : incoming.unsubscribe.filters) {
        if (text.size() > 2 * limits::trace_text_bytes_max) return text + " …";
        text += ' ' + name(filter);
      }
      return text;
    }
    case Event::pingreq:
      return "PINGREQ";
    case Event::disconnect:
      return with_reason("DISCONNECT", incoming.disconnect.reason);
    case Event::auth:
      return "AUTH";
    case Event::refused:
      return std::string("what is no packet: ") + incoming.fault.what;
    default:
      return "";
  }
}

std::string describe(ByteView bytes, mqtt::Version version, std::size_t& size) {
  Cursor header(bytes);
  const std::uint8_t first = header.byte();
  const std::size_t length = header.varint();
  Cursor body(header.take(length));
  size = bytes.size() - header.left();
  const bool v5 = version == mqtt::Version::v5;
  const unsigned type = first >> 4;
  std::string text(type_name(type));
  switch (static_cast<mqtt::PacketType>(type)) {
    case mqtt::PacketType::publish: {
      const std::string topic(as_text(body.take(body.word())));
      const unsigned qos = first >> 1 & 3U;
      const std::uint16_t id = qos > 0 ? body.word() : std::uint16_t{0};
      if (v5) body.take(body.varint());
      const std::string shown = topic.empty() ? "(by its alias)" : topic;
      return publish_text(shown, qos, (first & 1U) != 0, (first & 8U) != 0, id, body.left());
    }
    case mqtt::PacketType::connack: {
      const bool present = body.byte() != 0;
      const unsigned code = body.byte();
      if (present) text += " session present";
      if (!v5) return code == 0 ? text : text + ": code " + std::to_string(code);
      return with_reason(std::move(text), static_cast<mqtt::Reason>(code));
    }
    case mqtt::PacketType::puback:
    case mqtt::PacketType::pubrec:
    case mqtt::PacketType::pubrel:
    case mqtt::PacketType::pubcomp:
      text += ' ' + std::to_string(body.word());
      return with_reason(std::move(text), static_cast<mqtt::Reason>(body.byte()));
    case mqtt::PacketType::suback:
    case mqtt::PacketType::unsuback: {
      text += ' ' + std::to_string(body.word());
      if (v5) body.take(body.varint());
      for (int i = 0; body.left() > 0 && i < 16; ++i) text += ' ' + std::to_string(body.byte());
      return body.left() > 0 ? text + " …" : text;
    }
    case mqtt::PacketType::disconnect:
      return with_reason(std::move(text), static_cast<mqtt::Reason>(body.byte()));
    default:
      return text;
  }
}

void Trace::add(WallTime at, bool received, std::string what) {
  if (packets_.size() >= limits::trace_packets_max) {
    packets_.pop_front();
    ++dropped_;
  }
  packets_.push_back({at, received, std::move(what)});
}

std::vector<TracedPacket> Trace::take(std::uint64_t& dropped) {
  dropped += std::exchange(dropped_, 0);
  std::vector<TracedPacket> taken(std::make_move_iterator(packets_.begin()),
                                  std::make_move_iterator(packets_.end()));
  packets_.clear();
  return taken;
}

}  // namespace gnomon::broker
