// Patterns: texts of a policy with wildcards and variables, and their matching.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gnomon::policy {

// A piece of a text as it is written in a policy.
struct Part {
  enum class Kind : std::uint8_t { text, any_run, any_one, variable };
  Kind kind = Kind::text;
  std::string text;                     // itself; of a variable its key
  std::optional<std::string> fallback;  // of `${key, 'fallback'}`
};

// What means something in a text: it differs between elements and versions of a policy.
struct Syntax {
  bool variables = true;   // ${key}; ${*}, ${?} and ${$} for the characters themselves
  bool fallbacks = false;  // ${key, 'fallback'}
  bool wildcards = true;   // `*`: any run of characters, also none, `/` included; `?`: one
};
// Errors: invalid, with what is wrong with a variable.
Result<std::vector<Part>> split(std::string_view text, Syntax syntax);

// Where a pattern gets the texts of its variables while it matches.
class VariableTexts {
 public:
  // The text of the variable in `slot`; nothing: it has none, and the pattern does not match.
  [[nodiscard]] virtual std::optional<std::string_view> text(std::uint32_t slot) const = 0;

 protected:
  ~VariableTexts() = default;
};

// Patterns: many of them in two flat arrays. Whatever stands in for a variable is taken as it is:
// no character of it is a wildcard.
// A value; grows while it is filled, never changes while it matches.
class Patterns {
 public:
  // A pattern is built piece by piece, then finished.
  void add_text(std::string_view text);
  void add_any_run();
  void add_any_one();
  void add_variable(std::uint32_t slot);
  void add_nothing();  // what no text matches
  // The number of the pattern; numbers follow each other.
  std::uint32_t finish();

  // `?` and the steps of `*` are characters of UTF-8, not bytes. Takes at most as many steps as the
  // bytes of both multiplied, allocates nothing, does not recurse.
  [[nodiscard]] bool matches(std::uint32_t pattern, std::string_view text,
                             const VariableTexts& variables) const;
  // The same for a pattern without wildcards, A to Z as a to z.
  [[nodiscard]] bool equals_ignoring_case(std::uint32_t pattern, std::string_view text,
                                          const VariableTexts& variables) const;
  // True if the pattern needs no variable.
  [[nodiscard]] bool fixed(std::uint32_t pattern) const;

 private:
  enum class Kind : std::uint8_t { text, any_run, any_one, variable, nothing };
  struct Piece {
    Kind kind;
    std::uint32_t at, size;  // of text: in text_; of a variable `at` is its slot
  };
  [[nodiscard]] std::string_view text_of(const Piece& piece) const {
    return std::string_view(text_).substr(piece.at, piece.size);
  }

  std::vector<std::uint32_t> begins_{0};  // of each pattern in pieces_, and the end of the last
  std::vector<Piece> pieces_;
  std::string text_;
};

}  // namespace gnomon::policy
