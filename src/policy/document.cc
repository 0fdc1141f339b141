#include "policy/document.h"

#include <algorithm>

#include "base/limits.h"
#include "policy/ascii.h"

namespace gnomon::policy {

Syntax Document::resource_syntax() const {
  return {.variables = has_variables(), .fallbacks = dialect == Dialect::iam, .wildcards = true};
}

Syntax Document::value_syntax(Comparison comparison) const {
  return {.variables = has_variables() && takes_variables(comparison),
          .fallbacks = dialect == Dialect::iam,
          .wildcards = takes_wildcards(comparison)};
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
    const bool white = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    return !white && (static_cast<unsigned char>(c) & 0xc0U) != 0x80;  // one for a character
  }));
}

std::vector<std::string_view> split_arn(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool inside = false;  // of `${…}`
  for (std::size_t i = 0; i < text.size() && parts.size() < 5; ++i) {
    if (text.substr(i).starts_with("${")) inside = true;
    if (text[i] == '}') inside = false;
    if (text[i] != ':' || inside) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace gnomon::policy
