// The plain matcher that the others are tested against: recursive, exponential, obviously right.
// For tests and fuzzing.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/pattern.h"

namespace gnomon::policy {

using ReferenceValues = std::map<std::string, std::string, std::less<>>;

inline std::size_t reference_character(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) ++size;
  return size;
}

inline bool reference_matches(std::span<const Part> parts, std::string_view text,
                              const ReferenceValues& values) {
  if (parts.empty()) return text.empty();
  const Part& part = parts.front();
  const auto rest = parts.subspan(1);
  switch (part.kind) {
    case Part::Kind::any_run:
      if (reference_matches(rest, text, values)) return true;
      return !text.empty() &&
             reference_matches(parts, text.substr(reference_character(text)), values);
    case Part::Kind::any_one:
      return !text.empty() &&
             reference_matches(rest, text.substr(reference_character(text)), values);
    case Part::Kind::text:
    case Part::Kind::variable:
      break;
  }
  std::string_view literal = part.text;
  if (part.kind == Part::Kind::variable) {
    const auto found = values.find(part.text);
    if (found == values.end()) return false;
    literal = found->second;
  }
  return text.starts_with(literal) && reference_matches(rest, text.substr(literal.size()), values);
}

// Builds a pattern of these parts; every variable is in slot 0.
inline void add_parts(Patterns& patterns, std::span<const Part> parts) {
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::text) patterns.add_text(part.text);
    if (part.kind == Part::Kind::any_run) patterns.add_any_run();
    if (part.kind == Part::Kind::any_one) patterns.add_any_one();
    if (part.kind == Part::Kind::variable) patterns.add_variable(0);
  }
}

}  // namespace gnomon::policy
