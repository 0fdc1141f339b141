// OwnedPublish: a PUBLISH that outlives the bytes it was read from. Pure.
#pragma once

#include <string>

#include "base/bytes.h"
#include "mqtt/packet.h"

namespace gnomon::broker {

// OwnedPublish: the packet, and one buffer with what it points to.
class OwnedPublish {
 public:
  explicit OwnedPublish(const mqtt::Publish& packet) : packet_(packet) {
    topic_ = packet.topic.size();
    properties_ = packet.properties.size();
    bytes_.reserve(topic_ + properties_ + packet.payload.size());
    bytes_.append(packet.topic).append(as_text(packet.properties)).append(as_text(packet.payload));
  }
  // Points into this object.
  [[nodiscard]] mqtt::Publish packet() const {
    mqtt::Publish packet = packet_;
    const std::string_view bytes = bytes_;
    packet.topic = bytes.substr(0, topic_);
    packet.properties = as_bytes(bytes.substr(topic_, properties_));
    packet.payload = as_bytes(bytes.substr(topic_ + properties_));
    return packet;
  }
  [[nodiscard]] std::uint16_t packet_id() const { return packet_.packet_id; }
  [[nodiscard]] std::size_t size() const { return sizeof *this + bytes_.size(); }

 private:
  mqtt::Publish packet_;  // but for those
  std::size_t topic_, properties_;
  std::string bytes_;  // topic, properties, payload
};

}  // namespace gnomon::broker
