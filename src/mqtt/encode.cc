#include "mqtt/encode.h"

#include <cassert>

#include "mqtt/publish_layout.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {
namespace {

std::uint8_t* write_properties(const Publish& publish, std::uint16_t alias, std::size_t size,
                               std::uint8_t* at) {
  at = wire::store_varint(at, static_cast<std::uint32_t>(size));
  if (size == 0) return at;
  if (alias != 0) {
    *at++ = static_cast<std::uint8_t>(PropertyId::topic_alias);
    at = wire::store_u16(at, alias);
  }
  if (publish.expiry_seconds) {
    *at++ = static_cast<std::uint8_t>(PropertyId::message_expiry_interval);
    at = wire::store_u32(at, *publish.expiry_seconds);
  }
  for (const std::uint32_t id : publish.subscription_ids) {
    *at++ = static_cast<std::uint8_t>(PropertyId::subscription_identifier);
    at = wire::store_varint(at, id);
  }
  return wire::store_bytes(at, publish.properties.data(), publish.properties.size());
}

}  // namespace

PublishLayout layout_of(Version version, const Publish& publish, std::string_view topic,
                        std::uint16_t alias) {
  PublishLayout layout;
  layout.remaining = 2 + topic.size() + (publish.qos > 0 ? 2u : 0u) + publish.payload.size();
  if (version == Version::v5) {
    layout.properties =
        publish.properties.size() + (alias != 0 ? 3u : 0u) + (publish.expiry_seconds ? 5u : 0u);
    for (const std::uint32_t id : publish.subscription_ids)
      layout.properties += 1 + wire::varint_size(id);
    layout.remaining +=
        layout.properties + wire::varint_size(static_cast<std::uint32_t>(layout.properties));
  }
  layout.total =
      1 + wire::varint_size(static_cast<std::uint32_t>(layout.remaining)) + layout.remaining;
  return layout;
}

std::size_t write_publish(Version version, const Publish& publish, std::string_view topic,
                          std::uint16_t alias, const PublishLayout& layout, std::uint8_t* at) {
  assert(topic.size() <= 65'535 && layout.remaining <= wire::remaining_length_max);
  std::uint8_t* const start = at;
  *at++ = static_cast<std::uint8_t>(0x30u | (publish.dup ? 8u : 0u) |
                                    static_cast<unsigned>(publish.qos) << 1 |
                                    (publish.retain ? 1u : 0u));
  at = wire::store_varint(at, static_cast<std::uint32_t>(layout.remaining));
  at = wire::store_u16(at, static_cast<std::uint16_t>(topic.size()));
  at = wire::store_bytes(at, topic.data(), topic.size());
  std::size_t packet_id_at = 0;
  if (publish.qos > 0) {
    packet_id_at = static_cast<std::size_t>(at - start);
    at = wire::store_u16(at, publish.packet_id);
  }
  if (version == Version::v5) at = write_properties(publish, alias, layout.properties, at);
  at = wire::store_bytes(at, publish.payload.data(), publish.payload.size());
  assert(static_cast<std::size_t>(at - start) == layout.total);
  return packet_id_at;
}

std::size_t publish_size(Version version, const Publish& publish) {
  return layout_of(version, publish, publish.topic, 0).total;
}

std::size_t append_publish(Version version, const Publish& publish, Buffer& out) {
  const PublishLayout layout = layout_of(version, publish, publish.topic, 0);
  const std::size_t packet_id_at =
      write_publish(version, publish, publish.topic, 0, layout, out.room(layout.total));
  out.grew(layout.total);
  return packet_id_at;
}

}  // namespace gnomon::mqtt
