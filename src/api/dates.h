// Times as the protocols write them (those of signatures: sigv4.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace gnomon::api {

// RFC 3339 in UTC, with or without a fraction: "2026-11-25T15:13:21Z"; RFC 9110's form:
// "Wed, 25 Nov 2026 15:13:21 GMT". Nothing: the text is no such time.
[[nodiscard]] std::optional<WallTime> from_iso_date(std::string_view text);
[[nodiscard]] std::optional<WallTime> from_http_date(std::string_view text);
[[nodiscard]] std::string iso_date(WallTime at);   // whole seconds
[[nodiscard]] std::string http_date(WallTime at);  // the same

}  // namespace gnomon::api
