#include "base/json_text.h"

#include "base/escape.h"

namespace gnomon {

namespace {

// Of a well-formed character.
unsigned code_of(std::string_view character) {
  const std::size_t size = character.size();
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  unsigned code = size == 1 ? byte(0) : byte(0) & 0xffU >> (size + 1);
  for (std::size_t i = 1; i < size; ++i) code = code << 6 | (byte(i) & 0x3fU);
  return code;
}

// Of at most 16 bits.
void append_code(std::string& out, unsigned code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[code >> shift & 15];
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const Piece piece = first_piece(text);
    text.remove_prefix(piece.text.size());
    switch (piece.kind) {
      case Piece::Kind::plain:
        out += piece.text;
        break;
      case Piece::Kind::quote:
        (out += '\\') += piece.text;
        break;
      case Piece::Kind::newline:
        out += "\\n";
        break;
      case Piece::Kind::control:
      case Piece::Kind::deceptive:
        append_code(out, code_of(piece.text));
        break;
      case Piece::Kind::broken:
        out += "\xef\xbf\xbd";  // U+FFFD
        break;
    }
  }
  out += '"';
}

}  // namespace gnomon
