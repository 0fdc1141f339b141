#include "base/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gnomon {
namespace {

// True if all eight bytes are in 0x01–0x7f. Subtracting one from each sets the top bit of the
// lowest zero byte; bytes in range neither have it nor borrow.
bool plain_ascii(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return (((word - 0x0101010101010101) | word) & 0x8080808080808080) == 0;
}

bool continues(std::uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Length of the well-formed sequence of two to four bytes at `at`, or 0 (RFC 3629 §4). Only the
// second byte has bounds of its own: they rule out what is overlong, a surrogate or too large.
std::size_t sequence(const std::uint8_t* at, std::size_t left) {
  const std::uint8_t first = at[0];
  if (first < 0xc2 || first > 0xf4 || left < 2) return 0;
  const std::uint8_t second = at[1];
  if (first < 0xe0) return continues(second) ? 2 : 0;
  const std::uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const std::uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high || left < 3 || !continues(at[2])) return 0;
  if (first < 0xf0) return 3;
  return left >= 4 && continues(at[3]) ? 4 : 0;
}

}  // namespace

bool is_mqtt_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  std::size_t left = text.size();
  while (left > 0) {
    while (left >= 8 && plain_ascii(at)) {
      at += 8;
      left -= 8;
    }
    // The rest of a longer text is looked at as one word too, together with bytes already seen.
    if (left < 8 && text.size() >= 8 && plain_ascii(at + left - 8)) return true;
    if (left == 0) break;
    const std::size_t count = *at < 0x80 ? static_cast<std::size_t>(*at != 0) : sequence(at, left);
    if (count == 0) return false;
    at += count;
    left -= count;
  }
  return true;
}

}  // namespace gnomon
