#include "topic/interest.h"

#include <map>
#include <string>

#include <doctest/doctest.h>

#include "topic/random_topics.h"
#include "topic/topic.h"

namespace gnomon::topic {
namespace {

constexpr std::uint64_t seed = 99;

void add(InterestDirectory& directory, std::string_view filter, OwnerId owner) {
  if (has_wildcard(filter)) {
    directory.add_wildcard(filter, owner);
  } else {
    directory.add_exact(exact_hash(filter, seed), owner);
  }
}
void remove(InterestDirectory& directory, std::string_view filter, OwnerId owner) {
  if (has_wildcard(filter)) {
    directory.remove_wildcard(filter, owner);
  } else {
    directory.remove_exact(exact_hash(filter, seed), owner);
  }
}

TEST_CASE("an empty directory names nobody and holds next to nothing") {
  InterestDirectory directory(seed);
  CHECK(directory.match("a") == 0);
  remove(directory, "a", 3);
  remove(directory, "a/#", 3);
  CHECK(directory.match("a") == 0);
  CHECK(directory.memory_bytes() < 1024);
}

TEST_CASE("adding and removing twice changes nothing") {
  for (const std::string filter : {"a/b", "a/+", "#"}) {
    InterestDirectory directory(seed);
    add(directory, filter, 0);
    add(directory, filter, 0);
    add(directory, filter, 63);
    CHECK(directory.match("a/b") == (OwnerMask{1} | OwnerMask{1} << 63));
    remove(directory, filter, 0);
    remove(directory, filter, 0);
    remove(directory, filter, 5);
    CHECK(directory.match("a/b") == OwnerMask{1} << 63);
    remove(directory, filter, 63);
    CHECK(directory.match("a/b") == 0);
  }
}

TEST_CASE("the masks of all matching filters are joined") {
  InterestDirectory directory(seed);
  add(directory, "a/b", 1);
  add(directory, "a/+", 2);
  add(directory, "#", 3);
  add(directory, "a/b/#", 4);
  add(directory, "a/c", 5);
  CHECK(directory.match("a/b") == 0b11110);
  CHECK(directory.match("a/c") == 0b101100);
  CHECK(directory.match("$a") == 0);
}

TEST_CASE("all 64 owners of one hash") {
  InterestDirectory directory(seed);
  for (int owner = 0; owner < 64; ++owner) {
    add(directory, "a", static_cast<OwnerId>(owner));
    CHECK(directory.match("a") == ~OwnerMask{0} >> (63 - owner));
  }
  for (int owner = 0; owner < 64; ++owner) {
    CHECK(directory.match("a") == ~OwnerMask{0} << owner);
    remove(directory, "a", static_cast<OwnerId>(owner));
  }
  CHECK(directory.match("a") == 0);
}

TEST_CASE("the largest hash and the largest owner are not taken for an empty slot") {
  InterestDirectory directory(seed);
  constexpr std::uint64_t largest = (std::uint64_t{1} << 35) - 1;
  directory.add_exact(largest, 63);
  directory.add_exact(0, 0);
  const std::size_t before = directory.memory_bytes();
  directory.remove_exact(largest, 63);
  CHECK(directory.memory_bytes() < before);
  directory.remove_exact(0, 0);
}

TEST_CASE("exact_hash stays within its 35 bits and uses them") {
  std::uint64_t ones = 0, zeros = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t hash = exact_hash(std::to_string(i), seed);
    CHECK(hash < std::uint64_t{1} << 35);
    ones |= hash;
    zeros |= ~hash;
  }
  CHECK(ones == (std::uint64_t{1} << 35) - 1);
  CHECK(zeros == ~std::uint64_t{0});
}

TEST_CASE("random interest against a map and matches()") {
  for (std::uint64_t round = 1; round <= 6; ++round) {
    CAPTURE(round);
    SeededRandom random(round);
    InterestDirectory directory(seed);
    std::map<std::string, OwnerMask> model;
    for (int step = 0; step < 4000; ++step) {
      const std::string filter = random_filter(random);
      const auto owner = static_cast<OwnerId>(random.below(64));
      if (random.below(100) < (step / 500 % 2 == 0 ? 70U : 10U)) {
        add(directory, filter, owner);
        model[filter] |= OwnerMask{1} << owner;
      } else {
        remove(directory, filter, owner);
        const auto known = model.find(filter);
        if (known != model.end() && (known->second &= ~(OwnerMask{1} << owner)) == 0) {
          model.erase(known);
        }
      }
      const std::string name = random_name(random);
      OwnerMask wanted = 0;
      for (const auto& [other, owners] : model) {
        if (matches(other, name)) wanted |= owners;
      }
      REQUIRE(directory.match(name) == wanted);  // with so few names there is no false positive
    }
    for (const auto& [filter, owners] : model) {
      for (int owner = 0; owner < 64; ++owner) {
        remove(directory, filter, static_cast<OwnerId>(owner));
      }
    }
    CHECK(directory.memory_bytes() < 20'000);
  }
}

TEST_CASE("memory: at most 8 bytes per exact filter once there are many") {
  InterestDirectory directory(seed);
  constexpr int filters = 200'000;
  for (int i = 0; i < filters; ++i) {
    directory.add_exact(exact_hash(std::to_string(i), seed), static_cast<OwnerId>(i % 16));
  }
  CHECK(directory.memory_bytes() < filters * 8);
  int missed = 0, wrong = 0;
  for (int i = 0; i < filters; ++i) {
    if ((directory.match(std::to_string(i)) & OwnerMask{1} << i % 16) == 0) ++missed;
    if (directory.match("other/" + std::to_string(i)) != 0) ++wrong;
  }
  CHECK(missed == 0);
  CHECK(wrong < 20);  // expected: 200,000 × 200,000 / 2^35 = 1.2
}

}  // namespace
}  // namespace gnomon::topic
