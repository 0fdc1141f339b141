// Text of others on its way to people and readers: what in it must be escaped.
#pragma once

#include <cstdint>
#include <string_view>

namespace gnomon {

// Piece: one character, or a byte that is part of none.
struct Piece {
  enum class Kind : std::uint8_t {
    plain,
    quote,      // " and the backslash
    newline,    // \n
    control,    // another control character of ASCII, one byte
    deceptive,  // what a terminal or a reader may take for something else: C1 controls (U+0080–9F),
                // line separators and text direction (U+2028–202E, U+2066–2069)
    broken,  // no UTF-8, one byte
  };
  Kind kind;
  std::string_view text;
};

// The piece at the front of `text`, which is not empty.
[[nodiscard]] Piece first_piece(std::string_view text);

}  // namespace gnomon
