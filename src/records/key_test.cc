#include "records/key.h"

#include <tuple>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::records {
namespace {

std::string random_text(Random& random) {
  std::string text;
  for (std::uint64_t n = random.below(6); n > 0; --n) {
    constexpr std::string_view letters("\0\1\2ab\xFF", 6);
    text += letters[random.below(letters.size())];
  }
  return text;
}

TEST_CASE("keys of version 1, byte for byte: they are on disk for ever") {
  using namespace std::string_view_literals;
  CHECK(Key(33).view() == "\x21\0\0"sv);
  CHECK(Key(33, 7).text("ab").number(0x0102).last("c\0"sv).view() ==
        "\x21\0\x07"
        "ab\0\1\0\0\0\0\0\0\1\2c\0"sv);
  CHECK(Key(33).text("a\0b"sv).view() == "\x21\0\0a\0\2b\0\1"sv);
  CHECK(Key(33).last("a\xFF").behind() == "\x21\0\0b"sv);
  CHECK(Key(33).behind() == "\x21\0\1"sv);
}

TEST_CASE("property: parts come back, and keys sort as their parts do") {
  SeededRandom random(3);
  for (int i = 0; i < 5000; ++i) {
    const std::string a = random_text(random), b = random_text(random), c = random_text(random),
                      d = random_text(random);
    const std::uint64_t m = random.next() >> random.below(64), n = random.below(3);
    const Key left = Key(1).text(a).number(m).last(b);
    const Key right = Key(1).text(c).number(n).last(d);
    CHECK((left.view() < right.view()) == (std::tie(a, m, b) < std::tie(c, n, d)));
    KeyReader reader(parts_of(left));
    CHECK(reader.text() == a);
    CHECK(reader.number() == m);
    CHECK(reader.rest() == b);
    CHECK(reader.good());
    const Key prefix = Key(1).text(a);
    CHECK((left.view() >= prefix.view() && left.view() < prefix.behind()));
    CHECK((right.view() >= prefix.view() && right.view() < prefix.behind()) == (a == c));
  }
}

TEST_CASE("a key cut short is not taken for another") {
  const std::string whole(Key(1).text("ab").number(7).view());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    KeyReader reader(parts_of(std::string_view(whole).substr(0, size)));
    reader.text();
    reader.number();
    CHECK_FALSE(reader.good());
  }
  KeyReader wrong(std::string_view("a\0\3b\0\1", 6));
  CHECK(wrong.text().empty());
  CHECK_FALSE(wrong.good());
}

}  // namespace
}  // namespace gnomon::records
