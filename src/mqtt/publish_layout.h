// Internal to mqtt: how large a PUBLISH is, and writing it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {

// The lengths of a PUBLISH. `total` above what the protocol can say is possible and must be
// checked.
struct PublishLayout {
  std::size_t properties = 0;  // 5: without their own length
  std::size_t remaining = 0;
  std::size_t total = 0;
};

constexpr std::size_t publish_bytes_max = std::size_t{wire::remaining_length_max} + 5;

// `alias` 0: none. `topic` is what goes out, empty where an alias stands for it.
PublishLayout layout_of(Version version, const Publish& publish, std::string_view topic,
                        std::uint16_t alias);

// Writes layout.total bytes at `at`. Returns the offset of the packet id, 0 with QoS 0.
std::size_t write_publish(Version version, const Publish& publish, std::string_view topic,
                          std::uint16_t alias, const PublishLayout& layout, std::uint8_t* at);

}  // namespace gnomon::mqtt
