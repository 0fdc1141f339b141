// JSON strings, for the few places that write a line of JSON and read none.
#pragma once

#include <string>
#include <string_view>

namespace gnomon {

// Appends `text` as a JSON string, in quotes. Bytes that are no UTF-8 become U+FFFD, one each; all
// that could deceive who looks at it is escaped.
void append_json(std::string& out, std::string_view text);
[[nodiscard]] inline std::string json_text(std::string_view text) {
  std::string out;
  append_json(out, text);
  return out;
}

}  // namespace gnomon
