// The program's version, stated once, in CMakeLists.txt.
#pragma once

#include <string_view>

namespace gnomon {

// "MAJOR.MINOR.PATCH" (https://semver.org).
[[nodiscard]] std::string_view version();

}  // namespace gnomon
