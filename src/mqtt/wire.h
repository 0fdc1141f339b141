// Internal to mqtt: reading and writing the data types of MQTT 5 §1.5.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"

namespace gnomon::mqtt::wire {

constexpr std::uint32_t remaining_length_max = 268'435'455;  // MQTT 5 §2.1.4

inline std::uint16_t load_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
inline std::uint32_t load_u32(const std::uint8_t* at) {
  return std::uint32_t{load_u16(at)} << 16 | load_u16(at + 2);
}
inline std::uint8_t* store_u16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
  return at + 2;
}
inline std::uint8_t* store_u32(std::uint8_t* at, std::uint32_t value) {
  store_u16(at, static_cast<std::uint16_t>(value >> 16));
  return store_u16(at + 2, static_cast<std::uint16_t>(value));
}
inline std::uint8_t* store_bytes(std::uint8_t* at, const void* bytes, std::size_t count) {
  if (count != 0) std::memcpy(at, bytes, count);
  return at + count;
}

inline std::size_t varint_size(std::uint32_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}
inline std::uint8_t* store_varint(std::uint8_t* at, std::uint32_t value) {
  while (value >= 128) {
    *at++ = static_cast<std::uint8_t>(value | 128);
    value >>= 7;
  }
  *at++ = static_cast<std::uint8_t>(value);
  return at;
}

enum class Varint : std::uint8_t { good, cut_short, malformed };

// Reads a variable byte integer at `at`, of which `left` bytes are there. Malformed: a fifth byte,
// or more bytes than the value needs (MQTT 5 §1.5.5).
inline Varint load_varint(const std::uint8_t* at, std::size_t left, std::uint32_t& value,
                          std::size_t& size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i == left) return Varint::cut_short;
    sum |= std::uint32_t{at[i] & 127u} << (7 * i);
    if (at[i] < 128) {
      if (at[i] == 0 && i > 0) return Varint::malformed;
      value = sum;
      size = i + 1;
      return Varint::good;
    }
  }
  return Varint::malformed;
}

// Cursor: takes values off the front of a packet's body. Every take checks that the bytes are
// there and returns false, changing nothing that matters, if not.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : at_(bytes.data()), left_(bytes.size()) {}

  [[nodiscard]] std::size_t left() const { return left_; }
  [[nodiscard]] const std::uint8_t* at() const { return at_; }
  [[nodiscard]] ByteView rest() const { return {at_, left_}; }

  [[nodiscard]] bool u8(std::uint8_t& value) {
    if (left_ < 1) return false;
    value = *at_;
    skip(1);
    return true;
  }
  [[nodiscard]] bool u16(std::uint16_t& value) {
    if (left_ < 2) return false;
    value = load_u16(at_);
    skip(2);
    return true;
  }
  [[nodiscard]] bool u32(std::uint32_t& value) {
    if (left_ < 4) return false;
    value = load_u32(at_);
    skip(4);
    return true;
  }
  [[nodiscard]] bool varint(std::uint32_t& value) {
    std::size_t size = 0;
    if (load_varint(at_, left_, value, size) != Varint::good) return false;
    skip(size);
    return true;
  }
  [[nodiscard]] bool bytes(std::size_t count, ByteView& value) {
    if (left_ < count) return false;
    value = {at_, count};
    skip(count);
    return true;
  }
  // Binary data and strings: a two-byte length in front. UTF-8 is the caller's to check.
  [[nodiscard]] bool binary(ByteView& value) {
    std::uint16_t count = 0;
    return u16(count) && bytes(count, value);
  }
  [[nodiscard]] bool text(std::string_view& value) {
    ByteView raw;
    if (!binary(raw)) return false;
    value = as_text(raw);
    return true;
  }

 private:
  void skip(std::size_t count) {
    at_ += count;
    left_ -= count;
  }

  const std::uint8_t* at_;
  std::size_t left_;
};

// A string longer than its length field can say is cut: no caller has one, and a wrong length
// would let a payload pose as packets.
inline void put_text(Buffer& out, std::string_view text) {
  const std::string_view fits = text.substr(0, 65'535);
  out.push_u16(static_cast<std::uint16_t>(fits.size()));
  out.append(fits);
}
inline void put_varint(Buffer& out, std::uint32_t value) {
  std::uint8_t* const at = out.room(4);
  out.grew(static_cast<std::size_t>(store_varint(at, value) - at));
}

}  // namespace gnomon::mqtt::wire
