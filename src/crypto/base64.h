// Base64 (RFC 4648 §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace gnomon::crypto {

[[nodiscard]] std::string base64(ByteView bytes);
// Nothing if `text` is not base64 in its one form: no blanks, padded, no bits left over.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace gnomon::crypto
