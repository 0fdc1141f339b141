// Random topic names and filters for tests. Few different levels, so that they often meet.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/random.h"

namespace gnomon::topic {

inline std::string random_levels(Random& random, std::size_t levels_max, bool wildcards) {
  constexpr std::array<std::string_view, 8> texts{
      "a", "b", "c", "", "$x", "temp", "a-long-level-1", "a-long-level-2"};
  std::string text;
  const std::size_t levels = 1 + random.below(levels_max);
  for (std::size_t i = 0; i < levels; ++i) {
    if (i > 0) text += '/';
    if (wildcards && random.below(3) == 0) {
      if (i + 1 == levels && random.below(2) == 0) return text + '#';
      text += '+';
    } else {
      text += texts[random.below(texts.size())];
    }
  }
  return text.empty() ? "a" : text;
}
inline std::string random_name(Random& random, std::size_t levels_max = 5) {
  return random_levels(random, levels_max, false);
}
inline std::string random_filter(Random& random, std::size_t levels_max = 5) {
  return random_levels(random, levels_max, random.below(4) != 0);
}

}  // namespace gnomon::topic
