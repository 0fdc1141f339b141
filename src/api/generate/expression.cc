#include "api/generate/expression.h"

#include <array>
#include <utility>

#include <re2/re2.h>

#include "api/generate/rows.h"

namespace gnomon::api::generate {
namespace {

// Of ASCII, as in Java, without the brackets around them: all stand inside of some.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> classes = {{
    {"\\p{Graph}", "\\x21-\\x7E"},
    {"\\p{Print}", "\\x20-\\x7E"},
    {"\\p{Upper}", "A-Z"},
    {"\\p{Lower}", "a-z"},
    {"\\p{Alpha}", "A-Za-z"},
    {"\\p{Digit}", "0-9"},
    {"\\p{Alnum}", "A-Za-z0-9"},
    {"\\p{Punct}", "!-/:-@\\[-`{-~"},
    {"\\p{Cntrl}", "\\x00-\\x1F\\x7F"},
}};

}  // namespace

std::string to_re2(std::string_view java) {
  std::string out;
  bool in_brackets = false;
  for (std::string_view rest = java; !rest.empty();) {
    if (rest[0] != '\\' || rest.size() < 2) {
      if (rest[0] == '[') in_brackets = true;
      if (rest[0] == ']') in_brackets = false;
      out += rest[0];
      rest.remove_prefix(1);
      continue;
    }
    if (rest[1] == 'u' && rest.size() >= 6) {  // \u00FF
      out.append("\\x{").append(rest.substr(2, 4)).append("}");
      rest.remove_prefix(6);
      continue;
    }
    std::size_t taken = 0;
    for (const auto& [name, range] : classes) {
      if (!rest.starts_with(name)) continue;
      out += in_brackets ? std::string(range) : '[' + std::string(range) + ']';
      taken = name.size();
    }
    if (taken == 0) out += rest.substr(0, taken = 2);
    rest.remove_prefix(taken);
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 compiled(out, options);
  if (!compiled.ok()) {
    throw Failure("error: RE2 cannot do " + std::string(java) + ": " + compiled.error() +
                  "; put a line 'pattern SHAPE EXPRESSION' into the rows");
  }
  return out;
}

}  // namespace gnomon::api::generate
