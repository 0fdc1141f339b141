// Topic names and topic filters: their grammar and their matching (MQTT 5 §4.7). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gnomon::topic {

// What is wrong with a topic name or a filter.
enum class Fault : std::uint8_t {
  none,
  empty,               // §4.7.3: at least one character
  too_long,            // more than limits::topic_bytes_max bytes
  too_deep,            // more than limits::topic_levels_max levels
  not_utf8,            // not UTF-8, or holds U+0000 (§1.5.4): the packet is malformed
  wildcard_in_name,    // `+` or `#` in a topic name (§3.3.2.1)
  misplaced_wildcard,  // `+` or `#` that is not a whole level, or `#` that is not the last one
  bad_share,           // `$share` without a name, with a wildcard in the name, or without a filter
};
// A sentence for a reason string or the log.
[[nodiscard]] std::string_view describe(Fault fault);

// Checks a topic name, as in PUBLISH. Never recurses; linear in the bytes.
[[nodiscard]] Fault check_name(std::string_view name);
// Checks a topic filter, as in SUBSCRIBE, `$share/NAME/FILTER` included.
[[nodiscard]] Fault check_filter(std::string_view filter);

// `$share/NAME/FILTER` taken apart (MQTT 5 §4.8.2). For any other filter `name` is empty and
// `filter` the whole.
struct Shared {
  std::string_view name, filter;
};
[[nodiscard]] Shared split_shared(std::string_view filter);

// True if the filter has a `+` or `#` level. `filter` is valid.
[[nodiscard]] bool has_wildcard(std::string_view filter);

// True if the valid topic `name` is matched by the valid `filter` (not shared): `a/#` matches `a`,
// a leading wildcard does not match a name that begins with `$` (§4.7.2).
[[nodiscard]] bool matches(std::string_view filter, std::string_view name);

}  // namespace gnomon::topic
