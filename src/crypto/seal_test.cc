#include "crypto/seal.h"

#include <set>

#include <doctest/doctest.h>

namespace gnomon::crypto {
namespace {

MasterKey master(std::uint8_t first) {
  MasterKey key{};
  key[0] = first;
  return key;
}

TEST_CASE("what is sealed is opened again, of any size") {
  SeededRandom random(1);
  const Sealer sealer(master(1));
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 40U, 10'000U}) {
    const std::string text(size, 'x');
    for (const char* associated : {"", "key AKIA"}) {
      const std::string sealed = sealer.seal(text, associated, random);
      CHECK(sealed.size() == size + 41);
      CHECK(sealer.open(sealed, associated) == text);
    }
  }
}

TEST_CASE("no two sealed texts are the same") {
  SeededRandom random(1);
  const Sealer sealer(master(1));
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) all.insert(sealer.seal("secret", "", random));
  CHECK(all.size() == 1000);
}

TEST_CASE("a bit that is another, a size, a key, a place: not opened") {
  SeededRandom random(1);
  const Sealer sealer(master(1));
  const std::string sealed = sealer.seal("secret", "key A", random);
  for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(sealer.open(changed, "key A"));
  }
  for (std::size_t size = 0; size < sealed.size(); ++size)
    CHECK_FALSE(sealer.open(sealed.substr(0, size), "key A"));
  CHECK_FALSE(sealer.open(sealed + 'x', "key A"));
  CHECK_FALSE(sealer.open(sealed, "key B"));
  CHECK_FALSE(sealer.open(sealed, ""));
  CHECK_FALSE(Sealer(master(2)).open(sealed, "key A"));
  CHECK(sealer.open(sealed, "key A") == "secret");
}

}  // namespace
}  // namespace gnomon::crypto
