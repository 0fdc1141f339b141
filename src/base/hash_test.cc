#include "base/hash.h"

#include <bit>
#include <set>
#include <string>

#include <doctest/doctest.h>

namespace gnomon {
namespace {

// Fixed for ever: computed apart from this code (Python), with the published FNV-1a and
// MurmurHash3 constants. If one of these fails, every data folder in the world is misread.
TEST_CASE("stable_hash has its test vectors") {
  CHECK(stable_hash("") == 0xefd01f60ba992926);
  CHECK(stable_hash("a") == 0x82a2a958a9bece5b);
  CHECK(stable_hash("thing-0001") == 0xb831d2a7ecf9934d);
  CHECK(stable_hash("$aws/things/lamp/shadow/update") == 0x7a8a8b2bfcf6b39e);
  CHECK(stable_hash("\xff\xfe\x80") == 0xfda7397b98f6f428);
  CHECK(stable_hash(std::string(1000, 'x')) == 0x27c232bef26106ba);
}

TEST_CASE("keyed_hash depends on the text, its length and the seed") {
  std::set<std::uint64_t> seen;
  std::string text;
  for (int i = 0; i < 300; ++i, text += '\0') {
    for (std::uint64_t seed = 0; seed < 50; ++seed) seen.insert(keyed_hash(text, seed));
  }
  CHECK(seen.size() == 300 * 50);
  CHECK(keyed_hash("a/b", 7) == keyed_hash(std::string("a/") + "b", 7));
}

// One changed bit, anywhere in texts of any length, changes about half the bits of the hash.
TEST_CASE("keyed_hash spreads every bit of the text") {
  for (std::size_t size = 1; size <= 70; ++size) {
    std::string text(size, 'k');
    const std::uint64_t before = keyed_hash(text, 42);
    int changed = 0;
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
      const int bits = std::popcount(before ^ keyed_hash(text, 42));
      CHECK(bits > 8);
      changed += bits;
      text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    }
    CHECK(changed > static_cast<int>(size) * 8 * 28);
    CHECK(changed < static_cast<int>(size) * 8 * 36);
  }
}

TEST_CASE("keyed_hash fills tables evenly, at its high and its low bits") {
  constexpr int buckets = 1024, texts = 1024 * 64;
  int low[buckets] = {}, high[buckets] = {};
  for (int i = 0; i < texts; ++i) {
    const std::uint64_t hash = keyed_hash("devices/" + std::to_string(i) + "/state", 1);
    ++low[hash % buckets];
    ++high[hash >> 54];
  }
  for (int i = 0; i < buckets; ++i) {  // mean 64, deviation 8
    CHECK(low[i] > 64 - 48);
    CHECK(low[i] < 64 + 48);
    CHECK(high[i] > 64 - 48);
    CHECK(high[i] < 64 + 48);
  }
}

}  // namespace
}  // namespace gnomon
