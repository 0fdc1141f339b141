// UTF-8 as MQTT wants it.
#pragma once

#include <string_view>

namespace gnomon {

// True if `text` is well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, at most
// U+10FFFF) without U+0000 (MQTT 5 §1.5.4: both make a packet malformed).
[[nodiscard]] bool is_mqtt_utf8(std::string_view text);

}  // namespace gnomon
