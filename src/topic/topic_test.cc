#include "topic/topic.h"

#include <charconv>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "topic/index.h"
#include "topic/interest.h"

namespace gnomon::topic {
namespace {

// A row of a testdata file: the first words, and the texts that follow them.
struct Row {
  int line = 0;
  std::vector<std::string> words, texts;
};

std::size_t number(std::string_view digits, int base = 10) {
  std::size_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  REQUIRE(end.ec == std::errc());
  return value;
}

// Takes `"…"` or `"…"*N` off the front of `rest`.
std::string take_text(std::string_view& rest) {
  std::string text;
  std::size_t i = 1;
  for (; rest.at(i) != '"'; ++i) {
    if (rest[i] != '\\') {
      text += rest[i];
    } else if (rest.at(i + 1) == 'x') {
      text += static_cast<char>(number(rest.substr(i + 2, 2), 16));
      i += 3;
    } else {
      text += rest[++i];
    }
  }
  rest.remove_prefix(i + 1);
  if (!rest.starts_with('*')) return text;
  const std::size_t digits = std::min(rest.find(' '), rest.size());
  std::string repeated;
  for (std::size_t n = number(rest.substr(1, digits - 1)); n > 0; --n) repeated += text;
  rest.remove_prefix(digits);
  return repeated;
}

std::vector<Row> read_rows(const std::string& file) {
  std::ifstream input("testdata/" + file);
  REQUIRE_MESSAGE(input.good(), "run in src/topic: there is no testdata/", file);
  std::vector<Row> rows;
  std::string line;
  for (int at = 1; std::getline(input, line); ++at) {
    if (line.empty() || line.starts_with('#')) continue;
    Row row{at, {}, {}};
    bool joined = false;
    for (std::string_view rest = line; !rest.empty();) {
      if (rest.front() == ' ') {
        rest.remove_prefix(1);
      } else if (rest.front() == '&') {
        joined = true;
        rest.remove_prefix(1);
      } else if (rest.front() != '"') {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        row.words.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end);
      } else if (joined) {
        row.texts.back() += take_text(rest);
        joined = false;
      } else {
        row.texts.push_back(take_text(rest));
      }
    }
    rows.push_back(row);
  }
  return rows;
}

std::string_view fault_name(Fault fault) {
  switch (fault) {
    case Fault::none:
      return "none";
    case Fault::empty:
      return "empty";
    case Fault::too_long:
      return "too_long";
    case Fault::too_deep:
      return "too_deep";
    case Fault::not_utf8:
      return "not_utf8";
    case Fault::wildcard_in_name:
      return "wildcard_in_name";
    case Fault::misplaced_wildcard:
      return "misplaced_wildcard";
    case Fault::bad_share:
      return "bad_share";
  }
  return "?";
}

// In a block of exactly its size, so that a sanitizer sees a byte read too many.
struct Exact {
  explicit Exact(const std::string& text) : bytes(text.begin(), text.end()) {}
  [[nodiscard]] std::string_view view() const { return {bytes.data(), bytes.size()}; }
  std::vector<char> bytes;
};

TEST_CASE("grammar.test") {
  for (const Row& row : read_rows("grammar.test")) {
    CAPTURE(row.line);
    const Exact text(row.texts.at(0));
    if (row.words.at(0) == "share") {
      const Shared shared = split_shared(text.view());
      CHECK(shared.name == row.texts.at(1));
      CHECK(shared.filter == row.texts.at(2));
      continue;
    }
    const bool is_name = row.words.at(0) == "name";
    REQUIRE((is_name || row.words.at(0) == "filter"));
    const Fault fault = is_name ? check_name(text.view()) : check_filter(text.view());
    CHECK(fault_name(fault) == row.words.at(1));
  }
}

TEST_CASE("matching.test") {
  const std::vector<Row> rows = read_rows("matching.test");
  SubscriptionIndex all(7);
  InterestDirectory all_interest(7);
  std::set<std::string> filters;
  for (const Row& row : rows) {
    const std::string& filter = row.texts.at(0);
    filters.insert(filter);
    all.add(filter, 1, {});
    if (has_wildcard(filter)) {
      all_interest.add_wildcard(filter, 1);
    } else {
      all_interest.add_exact(exact_hash(filter, 7), 1);
    }
  }
  for (const Row& row : rows) {
    CAPTURE(row.line);
    const bool expected = row.words.at(0) == "match";
    REQUIRE((expected || row.words.at(0) == "nomatch"));
    const Exact filter(row.texts.at(0)), name(row.texts.at(1));
    REQUIRE(check_filter(filter.view()) == Fault::none);
    REQUIRE(check_name(name.view()) == Fault::none);
    CHECK(matches(filter.view(), name.view()) == expected);

    SubscriptionIndex index(7);
    InterestDirectory interest(7);
    index.add(filter.view(), 42, {});
    if (has_wildcard(filter.view())) {
      interest.add_wildcard(filter.view(), 63);
    } else {
      interest.add_exact(exact_hash(filter.view(), 7), 63);
    }
    std::vector<Subscription> found;
    index.match(name.view(), found);
    CHECK(found.size() == (expected ? 1 : 0));
    CHECK(interest.match(name.view()) == (expected ? OwnerMask{1} << 63 : 0));

    std::size_t wanted = 0;
    for (const std::string& other : filters) wanted += matches(other, name.view()) ? 1 : 0;
    found.clear();
    all.match(name.view(), found);
    CHECK(found.size() == wanted);
    CHECK(all_interest.match(name.view()) == (wanted > 0 ? 2 : 0));
  }
}

TEST_CASE("has_wildcard finds a wildcard at every place") {
  for (std::size_t size = 1; size < 40; ++size) {
    std::string text(size, 'x');
    CHECK_FALSE(has_wildcard(Exact(text).view()));
    for (std::size_t at = 0; at < size; ++at) {
      for (int c = 1; c < 256; ++c) {
        text[at] = static_cast<char>(c);
        if (has_wildcard(Exact(text).view()) != (c == '+' || c == '#')) FAIL_CHECK(size, at, c);
      }
      text[at] = 'x';
    }
  }
}

TEST_CASE("every fault has a sentence of its own") {
  std::set<std::string_view> sentences;
  for (int fault = 0; fault <= static_cast<int>(Fault::bad_share); ++fault) {
    sentences.insert(describe(static_cast<Fault>(fault)));
  }
  CHECK(sentences.size() == static_cast<std::size_t>(Fault::bad_share) + 1);
}

}  // namespace
}  // namespace gnomon::topic
