// The matcher against a plain one, and what it may cost.
#include "policy/pattern.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "policy/reference.h"

namespace gnomon::policy {
namespace {

struct NoVariables final : VariableTexts {
  [[nodiscard]] std::optional<std::string_view> text(std::uint32_t) const override { return {}; }
};

TEST_CASE("the matcher and the plain one agree") {
  SeededRandom random(1);
  const auto some = [&random](std::string_view letters, std::size_t most) {
    std::string text;
    for (std::size_t n = random.below(most + 1); n > 0; --n) {
      const std::size_t at = random.below(letters.size());
      // "ü" is two bytes of the letters: never one of them.
      text += letters[at] < 0 ? std::string("\xc3\xbc") : std::string(1, letters[at]);
    }
    return text;
  };
  int matched = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string pattern = some("ab\xc3\xbc*?*?", 9), text = some("aab\xc3\xbc", 12);
    const auto parts = split(pattern, {});
    REQUIRE(parts.ok());
    Patterns patterns;
    add_parts(patterns, *parts);
    const bool expected = reference_matches(*parts, text, {});
    matched += expected ? 1 : 0;
    if (patterns.matches(patterns.finish(), text, NoVariables()) != expected) {
      FAIL_CHECK(pattern << " on " << text);
    }
  }
  CHECK(matched > 10'000);
}

TEST_CASE("values of variables are plain text, whatever they hold") {
  SeededRandom random(2);
  const auto some = [&random](std::string_view letters, std::size_t most) {
    std::string text;
    for (std::size_t n = random.below(most + 1); n > 0; --n) {
      text += letters[random.below(letters.size())];
    }
    return text;
  };
  int matched = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string pattern = some("a*?", 3) + "${v}" + some("a*?", 3);
    const std::string value = some("a*?#+$", 3), text = some("aaaa*?#+$", 8);
    const auto parts = split(pattern, {});
    REQUIRE(parts.ok());
    const ReferenceValues values{{"v", value}};
    struct One final : VariableTexts {
      explicit One(std::string_view v) : value(v) {}
      [[nodiscard]] std::optional<std::string_view> text(std::uint32_t) const override {
        return value;
      }
      std::string_view value;
    };
    Patterns patterns;
    add_parts(patterns, *parts);
    const bool expected = reference_matches(*parts, text, values);
    matched += expected ? 1 : 0;
    if (patterns.matches(patterns.finish(), text, One(value)) != expected) {
      FAIL_CHECK(pattern << " with " << value << " on " << text);
    }
    // As a part of the pattern it would match more.
    if (expected) CHECK(text.find(value) != std::string::npos);
  }
  CHECK(matched > 5'000);
}

TEST_CASE("many stars are no many times the work") {
  std::string pattern, text(60'000, 'a');
  for (int i = 0; i < 500; ++i) pattern += "*a";
  const auto parts = split(pattern + "*b", {});
  Patterns patterns;
  add_parts(patterns, *parts);
  const std::uint32_t hard = patterns.finish();
  CHECK_FALSE(patterns.matches(hard, text, NoVariables()));  // exponential: it would never end
  text += 'b';
  CHECK(patterns.matches(hard, text, NoVariables()));
}

TEST_CASE("characters, not bytes") {
  const auto matches = [](std::string_view pattern, std::string_view text) {
    const auto parts = split(pattern, {});
    Patterns patterns;
    add_parts(patterns, *parts);
    return patterns.matches(patterns.finish(), text, NoVariables());
  };
  CHECK(matches("?", "\xe2\x82\xac"));
  CHECK_FALSE(matches("??", "\xe2\x82\xac"));
  CHECK_FALSE(matches("*??", "\xe2\x82\xac"));
  CHECK(matches("*??", "a\xe2\x82\xac"));
  CHECK(matches("*", ""));
  CHECK_FALSE(matches("?", ""));
  CHECK(matches("", ""));
  CHECK_FALSE(matches("", "a"));
}

}  // namespace
}  // namespace gnomon::policy
