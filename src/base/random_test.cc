#include "base/random.h"

#include <array>
#include <set>

#include <doctest/doctest.h>

namespace gnomon {
namespace {

TEST_CASE("SeededRandom is splitmix64") {  // the published first values for this seed
  SeededRandom random(1234567);
  CHECK(random.next() == 6457827717110365317U);
  CHECK(random.next() == 3203168211198807973U);
  CHECK(random.next() == 9817491932198370423U);
}

TEST_CASE("fill fills any number of bytes, and no more") {
  SeededRandom random(1);
  std::array<std::uint8_t, 40> bytes{};
  random.fill(std::span(bytes).first(0));
  CHECK(bytes == std::array<std::uint8_t, 40>{});
  random.fill(std::span(bytes).first(19));
  CHECK(std::set(bytes.begin(), bytes.begin() + 19).size() > 10);
  for (std::size_t i = 19; i < 40; ++i) CHECK(bytes[i] == 0);
}

TEST_CASE("below stays below, reaches every value and is even") {
  SeededRandom random(2);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) ++seen[random.below(7)];
  for (const int count : seen) {
    CHECK(count > 9'500);
    CHECK(count < 10'500);
  }
  CHECK(random.below(1) == 0);
  for (int i = 0; i < 100; ++i) CHECK(random.below(UINT64_MAX) < UINT64_MAX);
}

TEST_CASE("hex has as many digits as asked") {
  SeededRandom random(3);
  CHECK(random.hex(0).empty());
  for (const std::size_t digits : {1U, 15U, 16U, 17U, 40U}) {
    const std::string text = random.hex(digits);
    CHECK(text.size() == digits);
    CHECK(text.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
}

TEST_CASE("the kernel's numbers differ") {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.next());
  CHECK(seen.size() == 1000);
}

}  // namespace
}  // namespace gnomon
