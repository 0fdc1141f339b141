#include "base/escape.h"

#include <algorithm>

#include "base/utf8.h"

namespace gnomon {

namespace {

// Length of the well-formed character of several bytes at the front of `text`, or 0.
std::size_t length_of(std::string_view text) {
  for (std::size_t length = 2; length <= std::min<std::size_t>(4, text.size()); ++length) {
    if (is_mqtt_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

bool is_deceptive(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (byte(0) == 0xc2) return byte(1) < 0xa0;
  if (byte(0) != 0xe2) return false;
  return (byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae) ||
         (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);
}

}  // namespace

Piece first_piece(std::string_view text) {
  using Kind = Piece::Kind;
  const char c = text.front();
  const auto byte = static_cast<unsigned char>(c);
  const std::string_view one = text.substr(0, 1);
  if (c == '"' || c == '\\') return {Kind::quote, one};
  if (c == '\n') return {Kind::newline, one};
  if (byte < 0x20 || byte == 0x7f) return {Kind::control, one};
  if (byte < 0x80) return {Kind::plain, one};
  const std::string_view character = text.substr(0, length_of(text));
  if (character.empty()) return {Kind::broken, one};
  return {is_deceptive(character) ? Kind::deceptive : Kind::plain, character};
}

}  // namespace gnomon
