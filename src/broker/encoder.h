// Encoder: a message encoded once per wire layout, not once per receiver.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "message/message.h"
#include "mqtt/encode.h"
#include "mqtt/packet.h"

namespace gnomon::broker {

// The PUBLISH that a message becomes: remaining expiry, no packet id, not retained.
inline mqtt::Publish to_publish(const message::Message& message, WallTime now) {
  mqtt::Publish publish;
  publish.topic = message.topic;
  publish.payload = message.payload;
  publish.properties = message.properties;
  publish.qos = message.qos;
  if (message.expires.ms != 0) {
    const std::int64_t left = message.expires.ms - now.ms;
    publish.expiry_seconds = left > 0 ? static_cast<std::uint32_t>(left / 1000) : 0U;
  }
  return publish;
}

// Encoder: holds one message at a time and its packets, one per (MQTT 5 or not × QoS 0 or more).
// Receivers copy a packet and patch what is theirs: the packet id and first-byte flags.
// Owner: one shard; reused for every message.
class Encoder {
 public:
  struct Layout {
    Buffer packet;
    std::size_t id_at = 0;  // offset of the packet id; 0 with QoS 0
    bool ready = false;
  };

  // `message` and what it points to outlive the use.
  void begin(const message::Message& message, WallTime now) {
    message_ = &message;
    now_ = now;
    for (auto& layout : layouts_) layout.ready = false;
  }
  [[nodiscard]] const message::Message& message() const { return *message_; }
  [[nodiscard]] WallTime now() const { return now_; }

  const Layout& layout(bool v5, bool with_id) {
    Layout& layout = layouts_[(v5 ? 2U : 0U) + (with_id ? 1U : 0U)];
    if (!layout.ready) encode(layout, v5, with_id);
    return layout;
  }

 private:
  void encode(Layout& layout, bool v5, bool with_id) {
    mqtt::Publish publish = to_publish(*message_, now_);
    publish.qos = with_id ? 1 : 0;
    publish.packet_id = with_id ? 1 : 0;
    layout.packet.clear();
    layout.id_at =
        mqtt::append_publish(v5 ? mqtt::Version::v5 : mqtt::Version::v311, publish, layout.packet);
    layout.ready = true;
  }

  const message::Message* message_ = nullptr;
  WallTime now_{};
  std::array<Layout, 4> layouts_;
};

}  // namespace gnomon::broker
