#include "topic/sorted_slots.h"

#include <map>
#include <vector>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::topic {
namespace {

// Random insertions and removals against std::map, for tables whose places come from `place()`:
// the fewer and the more uneven they are, the longer the runs and the fuller the end.
template <class Word, int place_bits, class Place>
void exercise(std::uint64_t seed, std::size_t size_max, Place&& place) {
  constexpr int shift = std::numeric_limits<Word>::digits - place_bits;
  SeededRandom random(seed);
  Heap heap;
  SortedSlots<Word, place_bits> slots;
  std::multimap<Word, Word> model;  // place → word
  const auto count = [&](Word of) {
    std::size_t words = 0;
    slots.find(of, [&](Word) {
      ++words;
      return false;
    });
    return words;
  };
  bool growing = true;
  for (int step = 0; step < 20'000; ++step) {
    if (model.empty()) growing = true;
    if (model.size() >= size_max) growing = false;
    const Word at = place(random);
    const bool add = random.below(4) != 0 ? growing : !growing;
    const auto known = model.find(at);
    if (add && model.size() < size_max) {
      const Word word = static_cast<Word>(at << shift | static_cast<Word>(step % 100));
      slots.insert(word, heap);
      model.emplace(at, word);
    } else if (known != model.end()) {
      Word* found = slots.find(at, [&](Word word) { return word == known->second; });
      REQUIRE(found != nullptr);
      slots.erase(found, heap);
      model.erase(known);
    }
    REQUIRE(slots.size() == model.size());
    REQUIRE(count(at) == model.count(at));
  }
  std::vector<Word> seen;
  slots.for_each([&](Word word) { seen.push_back(word); });
  REQUIRE(seen.size() == model.size());
  std::size_t i = 0;
  for (const auto& [at, word] : model) {  // in the order of their places
    REQUIRE(slots.place_of(seen[i++]) == at);
  }
  slots.clear(heap);
  CHECK(heap.held() == 0);
}

TEST_CASE("32-bit words, random places") {
  exercise<std::uint32_t, 25>(
      1, 3000, [](Random& random) { return static_cast<std::uint32_t>(random.below(1U << 25)); });
}
TEST_CASE("64-bit words, random places") {
  exercise<std::uint64_t, 20>(2, 3000, [](Random& random) { return random.below(1U << 20); });
}
TEST_CASE("few places, many words each") {
  exercise<std::uint64_t, 20>(3, 500, [](Random& random) { return random.below(8) << 17; });
}
TEST_CASE("all at the last place, and next to it") {
  exercise<std::uint32_t, 25>(4, 300, [](Random& random) {
    return (1U << 25) - 1 - static_cast<std::uint32_t>(random.below(2));
  });
}
TEST_CASE("all at the first place") {
  exercise<std::uint32_t, 25>(5, 300, [](Random&) { return 0U; });
}

// Taking out the lower half again and again leaves all words at the upper end, which no hash does;
// even then a table shrinks.
TEST_CASE("memory follows the number of words, up and down") {
  SeededRandom random(6);
  Heap heap;
  SortedSlots<std::uint64_t, 32> slots;
  std::vector<std::uint64_t> words;
  const auto bytes_per_word = [&] {
    return static_cast<double>(heap.held()) / static_cast<double>(slots.size());
  };
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    words.push_back(random.next() << 32 | i);
    slots.insert(words.back(), heap);
    if (i > 1000) REQUIRE(bytes_per_word() < 8 / 0.6);
  }
  while (words.size() > 1000) {
    const std::uint64_t word = words.back();
    words.pop_back();
    slots.erase(slots.find(word >> 32, [&](auto other) { return other == word; }), heap);
    REQUIRE(bytes_per_word() < 8 / 0.24);
  }
  slots.clear(heap);
  CHECK(heap.held() == 0);
}

}  // namespace
}  // namespace gnomon::topic
