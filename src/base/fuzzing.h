// What the fuzz targets share. For them only.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace gnomon::fuzz {

// A property that does not hold is a finding.
inline void check(bool good) {
  if (!good) std::abort();
}

// What is in front of the next `separator`, or all; it is taken off `text`.
inline std::string_view take_part(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

}  // namespace gnomon::fuzz
