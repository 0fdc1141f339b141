// Whether a text is JSON: for payloads that go into a line of JSON as they are.
#pragma once

#include <string_view>

namespace gnomon::cli {

// True if `text` is one JSON value (RFC 8259), at most 512 levels deep, in UTF-8.
[[nodiscard]] bool is_json(std::string_view text);

}  // namespace gnomon::cli
