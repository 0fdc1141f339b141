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
      out += text.substr(i, length);
      i += length - 1;
    } else {
      out += "\xef\xbf\xbd";
    }
  }
  out += '"';
}

}  // namespace gnomon
