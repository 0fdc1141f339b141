// Encoding a PUBLISH once for many receivers.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "mqtt/packet.h"

namespace gnomon::mqtt {

// How many bytes the packet takes, without encoding it.
[[nodiscard]] std::size_t publish_size(Version version, const Publish& publish);

// Appends a PUBLISH packet as `publish` says (topic in full, no alias). Returns the offset of the
// packet id from the packet's start (0 with QoS 0): a copy for another receiver differs only there
// and in the flags of its first byte.
std::size_t append_publish(Version version, const Publish& publish, Buffer& out);

// Writes `packet_id` at `at`.
inline void patch_packet_id(std::uint8_t* at, std::uint16_t packet_id) {
  at[0] = static_cast<std::uint8_t>(packet_id >> 8);
  at[1] = static_cast<std::uint8_t>(packet_id);
}

}  // namespace gnomon::mqtt
