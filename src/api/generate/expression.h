// Patterns of service models, which are Java's, for RE2.
#pragma once

#include <string>
#include <string_view>

namespace gnomon::api::generate {

// Throws Failure: RE2 cannot do that (it has no look-ahead, and counts to 1,000 at most).
[[nodiscard]] std::string to_re2(std::string_view java);

}  // namespace gnomon::api::generate
