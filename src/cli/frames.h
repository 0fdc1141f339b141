// Cutting MQTT packets out of received bytes, and no more: what the load generator and the floor
// need of the protocol on their hot path. The full, checking codec is mqtt::Connection.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "mqtt/types.h"

namespace gnomon::cli {

struct Frame {
  ByteView whole;
  ByteView body;  // after the remaining length
  [[nodiscard]] mqtt::PacketType type() const {
    return static_cast<mqtt::PacketType>(whole[0] >> 4);
  }
  [[nodiscard]] std::uint8_t qos() const { return (whole[0] >> 1) & 3; }
  // An acknowledgement with a reason ≥ 0x80 (MQTT 5 only).
  [[nodiscard]] bool refuses() const { return body.size() > 2 && (body[2] & 0x80) != 0; }
};

// The number at the front of `in` (MQTT 5 §1.5.5), its bytes added to `at`. False: unfinished.
inline bool read_variable(ByteView in, std::size_t& at, std::size_t& number) {
  number = 0;
  for (unsigned shift = 0; at < in.size() && shift < 28; shift += 7) {
    const std::uint8_t byte = in[at++];
    number |= static_cast<std::size_t>(byte & 127) << shift;
    if ((byte & 128) == 0) return true;
  }
  return false;
}

// Takes the packet at the front of `in`; false if it is not all there.
inline bool take_frame(ByteView& in, Frame& frame) {
  std::size_t at = 1, length = 0;
  if (in.size() < 2 || !read_variable(in, at, length) || in.size() - at < length) return false;
  frame.whole = in.first(at + length);
  frame.body = frame.whole.subspan(at);
  in = in.subspan(at + length);
  return true;
}

inline std::uint16_t read_u16(ByteView in, std::size_t at) {
  return static_cast<std::uint16_t>(in[at] << 8 | in[at + 1]);
}

}  // namespace gnomon::cli
