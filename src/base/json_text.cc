#include "base/json_text.h"

#include <algorithm>

#include "base/utf8.h"

namespace gnomon {

namespace {

// Length of the well-formed character of several bytes at the front of `text`, or 0.
std::size_t character(std::string_view text) {
  for (std::size_t length = 2; length <= std::min<std::size_t>(4, text.size()); ++length) {
    if (is_mqtt_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

// What a terminal or a reader may take for something else is escaped: C1 controls (U+0080–9F), line
// separators and text direction (U+2028–202E, U+2066–2069).
void append_character(std::string& out, std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned code = 0;
  if (byte(0) == 0xc2 && byte(1) < 0xa0) code = byte(1);
  if (byte(0) == 0xe2 && (byte(1) == 0x80 || byte(1) == 0x81)) {
    code = 0x2000 + ((byte(1) & 1U) << 6) + (byte(2) & 0x3fU);
    const bool deceptive = (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    if (!deceptive) code = 0;
  }
  if (code == 0) {
    out += text;
    return;
  }
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += hex[code >> shift & 15];
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else if (byte < 0x80) {
      out += c;
    } else if (const std::size_t length = character(text.substr(i)); length > 0) {
      append_character(out, text.substr(i, length));
      i += length - 1;
    } else {
      out += "\xef\xbf\xbd";
    }
  }
  out += '"';
}

}  // namespace gnomon
