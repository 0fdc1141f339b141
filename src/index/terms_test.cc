#include "index/terms.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "index/configuration.h"
#include "index/connectivity.h"

namespace gnomon::index {
namespace {

TEST_CASE("postings of numbers are in the order of the numbers") {
  const double biggest = std::numeric_limits<double>::max();
  const std::vector<double> ascending = {-biggest, -1e10, -2.5, -1,   -0.1, 0,
                                         5e-324,   0.1,   1,    2.25, 1e10, biggest};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    const std::string key = posting("f", number_value(ascending[i]), "lamp");
    const auto read = read_posting(key);
    REQUIRE(read);
    CHECK(read->field == "f");
    CHECK(read->kind == Value::Kind::number);
    CHECK(read->number == ascending[i]);
    CHECK(read->thing == "lamp");
    for (std::size_t j = 0; j < i; ++j) CHECK(posting("f", number_value(ascending[j]), "zz") < key);
  }
  CHECK(posting("f", number_value(-0.0), "t") == posting("f", number_value(0.0), "t"));
}

TEST_CASE("postings of texts are in the order of the folded texts, whatever is in them") {
  const std::string nul("a\0b", 3);
  const std::vector<std::string> ascending = {"", "A", nul, "a b", "AB", "b", "\xFF"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    const std::string key = posting("f", text_value(ascending[i]), "lamp");
    const auto read = read_posting(key);
    REQUIRE(read);
    CHECK(read->text == folded(ascending[i]));
    CHECK(read->thing == "lamp");
    CHECK(key.starts_with(postings_of("f", text_value(ascending[i])).view()));
    for (std::size_t j = 0; j < i; ++j) CHECK(posting("f", text_value(ascending[j]), "zz") < key);
  }
  CHECK(!read_posting("x"));
  CHECK(!read_posting(postings_of("f").view()));
}

TEST_CASE("ranges take in what lies between their bounds") {
  const auto in = [](const Range& range, const std::string& key) {
    return key >= range.begin && key < range.end;
  };
  const auto number = [](double value) { return posting("f", number_value(value), "t"); };
  const auto text = [](std::string_view value) { return posting("f", text_value(value), "t"); };
  const Range numbers = numbers_between("f", Bound{"", 2, true}, Bound{"", 3, false});
  CHECK(in(numbers, number(2)));
  CHECK(in(numbers, number(2.9)));
  CHECK(!in(numbers, number(3)));
  CHECK(!in(numbers, number(1.9)));
  CHECK(!in(numbers, text("2.5")));
  const Range open = numbers_between("f", std::nullopt, Bound{"", 3, true});
  CHECK(in(open, number(-1e300)));
  CHECK(in(open, number(3)));
  CHECK(!in(open, text("")));
  const Range texts = texts_between("f", Bound{"b", 0, false}, Bound{"d", 0, true});
  CHECK(!in(texts, text("B")));
  CHECK(in(texts, text("ba")));
  CHECK(in(texts, text("D")));
  CHECK(!in(texts, text("da")));
  const Range prefixed = texts_with_prefix("f", "aB");
  CHECK(in(prefixed, text("ab")));
  CHECK(in(prefixed, text("ABC")));
  CHECK(!in(prefixed, text("a")));
  CHECK(!in(prefixed, text("ac")));
  CHECK(in(texts_with_prefix("f", "\xFF"), text("\xFF\xFF")));
  CHECK(in(postings_of_fields("shadow."), posting("shadow.a", text_value("x"), "t")));
  CHECK(!in(postings_of_fields("shadow."), posting("shadox", text_value("x"), "t")));
}

TEST_CASE("a long text is cut off, and so are the bounds of its range") {
  const std::string longest(limits::index_text_bytes, 'x');
  CHECK(posting("f", text_value(longest), "t") == posting("f", text_value(longest + "y"), "t"));
  const Range behind = texts_between("f", Bound{longest, 0, false}, std::nullopt);
  CHECK(posting("f", text_value(longest + "y"), "t") >= behind.begin);
  CHECK(has_postings(std::string(limits::index_field_bytes, 'f')));
  CHECK(!has_postings(std::string(limits::index_field_bytes + 1, 'f')));
}

TEST_CASE("texts that are numbers") {
  for (const char* text : {"0", "-1", "2.5", "1e3", "007"}) CHECK(number_of(text));
  for (const char* text : {"", "-", "+1", ".5", "1x", " 1", "1 ", "inf", "nan", "1e999", "0x10"})
    CHECK_MESSAGE(!number_of(text), text);
}

TEST_CASE("whether a thing is connected: what is written, and what is erased with it") {
  std::vector<store::Operation> operations;
  write_connectivity("lamp", {false, WallTime{5}, "CONNECTION_LOST"}, operations);
  const auto all = keys_of_connectivity("lamp");
  for (const auto& operation : operations) {
    const auto* put = std::get_if<store::Put>(&operation);
    const auto* gone = std::get_if<store::Erase>(&operation);
    const std::string& key = put != nullptr ? put->key : gone->key;
    CHECK(std::ranges::find(all, key) != all.end());
  }
  CHECK(operations.size() == 4);
}

TEST_CASE("which shadows a configuration names") {
  Configuration is;
  is.shadow_names = {"a", "c"};
  CHECK(!is.indexes_shadow(""));
  CHECK(!is.indexes_shadow("a"));
  is.named_shadows = true;
  CHECK(is.indexes_shadow("a"));
  CHECK(!is.indexes_shadow("b"));
  is.shadow = true;
  CHECK(is.indexes_shadow(""));
  CHECK(shadow_prefix("") == "shadow.");
  CHECK(shadow_prefix("a") == "shadow.name.a.");
}

}  // namespace
}  // namespace gnomon::index
