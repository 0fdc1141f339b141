// What every store must do, for the tests of each: check_contract(make).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/random.h"
#include "store/store.h"

namespace gnomon::store {

using MakeStore = std::function<std::unique_ptr<Store>()>;  // a new, empty one each time

inline std::map<std::string, std::string> all(const Store& store) {
  std::map<std::string, std::string> found;
  CHECK(store
            .scan("", "\xFF",
                  [&](std::string_view key, std::string_view value) {
                    found.emplace(key, value);
                    return true;
                  })
            .ok());
  return found;
}

inline Sequence apply_puts(Store& store, const std::vector<Operation>& operations) {
  Batch batch;
  batch.operations = operations;
  const auto applied = store.apply(batch);
  REQUIRE(applied.ok());
  return *applied;
}

inline void check_batches(Store& store) {
  Batch batch;
  batch.operations = {Put{"a", "1"}, Put{"b", "2"},        Erase{"a"},
                      Put{"c", "3"}, EraseRange{"b", "c"}, Put{"a", "4"}};
  const auto first = store.apply(batch);
  REQUIRE(first.ok());
  CHECK(all(store) == std::map<std::string, std::string>{{"a", "4"}, {"c", "3"}});
  CHECK(store.applied() == *first);

  batch.clear();
  batch.conditions = {{"a", "4"}, {"x", std::nullopt}, {"c", "wrong"}};
  batch.operations = {Put{"a", "5"}};
  const auto refused = store.apply(batch);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::conflict);
  CHECK(**store.get("a") == "4");
  CHECK(store.applied() == *first);

  batch.conditions.pop_back();
  CHECK(*store.apply(batch) == *first + 1);
  CHECK(**store.get("a") == "5");
  CHECK_FALSE(store.get("x")->has_value());

  batch.operations.clear();  // conditions alone
  batch.conditions = {{"a", "4"}};
  CHECK(store.apply(batch).error().code == Code::conflict);
  batch.conditions = {{"a", std::nullopt}};
  CHECK(store.apply(batch).error().code == Code::conflict);
  batch.conditions = {{"a", "5"}, {"", std::nullopt}};
  CHECK(*store.apply(batch) == *first + 2);
}

inline void check_scans(Store& store) {
  apply_puts(store, {Put{"d", "d"}, Put{"a", "a"}, Put{"c", "c"}, Put{"b", "b"},
                     Put{std::string("b\0", 2), ""}});
  std::string keys;
  std::size_t most = 99;
  const auto scan = [&](std::string_view begin, std::string_view end) {
    keys.clear();
    CHECK(store
              .scan(begin, end,
                    [&](std::string_view key, std::string_view) {
                      keys += key;
                      return keys.size() < most;
                    })
              .ok());
    return keys;
  };
  CHECK(scan("b", "d") == std::string("bb\0c", 4));
  CHECK(scan("b", "b").empty());
  CHECK(scan("d", "a").empty());
  CHECK(scan("e", "z").empty());
  CHECK(scan("c", "\xFF") == "cd");
  most = 2;
  CHECK(scan("a", "z") == "ab");
  CHECK(store.get(std::string_view("b\0", 2))->value().empty());
}

inline void check_scans_back(Store& store) {
  apply_puts(store, {Put{"d", "d"}, Put{"a", "a"}, Put{"c", "c"}, Put{"b", "b"},
                     Put{std::string("b\0", 2), ""}});
  std::size_t most = 99;
  const auto scan = [&](std::string_view begin, std::string_view end) {
    std::string keys;
    CHECK(store
              .scan_back(begin, end,
                         [&](std::string_view key, std::string_view) {
                           keys += key;
                           return keys.size() < most;
                         })
              .ok());
    return keys;
  };
  CHECK(scan("b", "d") == std::string("cb\0b", 4));
  CHECK(scan("b", "b").empty());
  CHECK(scan("d", "a").empty());
  CHECK(scan("e", "z").empty());
  CHECK(scan("", "a").empty());
  CHECK(scan("c", "\xFF") == "dc");
  most = 2;
  CHECK(scan("a", "z") == "dc");
}

inline void check_ranges(Store& store) {
  apply_puts(store, {Put{"a", "1"}, Put{"b", "2"}, Put{"c", "3"}, Put{"\xFE", "4"}});
  apply_puts(store, {EraseRange{"c", "a"}, EraseRange{"b", "b"}});  // nothing
  CHECK(all(store).size() == 4);
  apply_puts(store, {EraseRange{"a", "c"}, Put{"b", "5"}});
  CHECK(all(store) == std::map<std::string, std::string>{{"b", "5"}, {"c", "3"}, {"\xFE", "4"}});
  apply_puts(store, {EraseRange{"", "\xFF"}});
  CHECK(all(store).empty());
}

inline void check_sequences(Store& store) {
  CHECK(store.durable() == store.applied());
  CHECK(*store.sync() == store.applied());
  const Sequence first = apply_puts(store, {Put{"a", "1"}});
  const Sequence second = apply_puts(store, {Put{"a", "2"}});
  CHECK(second > first);
  CHECK(store.applied() == second);
  CHECK(store.durable() <= second);
  CHECK(*store.sync() == second);
  CHECK(store.durable() == second);
  CHECK(apply_puts(store, {}) > second);
  CHECK(store.accepting());
}

// A random batch, and what `model` is after it; false if its condition does not hold.
inline bool random_batch(Random& random, Batch& batch, std::map<std::string, std::string>& model) {
  const auto key = [&] { return std::string(1, static_cast<char>('a' + random.below(20))); };
  if (random.below(3) == 0) {
    Condition condition{key(), std::nullopt};
    if (random.below(2) == 0) condition.value = std::to_string(random.below(3));
    const auto it = model.find(condition.key);
    const bool holds = it == model.end() ? !condition.value : condition.value == it->second;
    batch.conditions.push_back(condition);
    if (!holds) return false;
  }
  for (std::uint64_t n = random.below(4); n > 0; --n) {
    const std::string k = key();
    switch (random.below(3)) {
      case 0:
        batch.operations.emplace_back(Put{k, std::to_string(random.below(3))});
        model[k] = std::get<Put>(batch.operations.back()).value;
        break;
      case 1:
        batch.operations.emplace_back(Erase{k});
        model.erase(k);
        break;
      default: {
        const std::string end = key();
        batch.operations.emplace_back(EraseRange{k, end});
        std::erase_if(model, [&](auto& entry) { return entry.first >= k && entry.first < end; });
      }
    }
  }
  return true;
}

inline void check_model(Store& store) {
  SeededRandom random(5);
  std::map<std::string, std::string> model;
  for (int i = 0; i < 2000; ++i) {
    Batch batch;
    const bool holds = random_batch(random, batch, model);
    CHECK(store.apply(batch).ok() == holds);
    CHECK(all(store) == model);
    if (random.below(50) == 0) CHECK(store.sync().ok());
  }
}

inline void check_contract(const MakeStore& make) {
  SUBCASE("a batch is written whole, in order, or not at all") { check_batches(*make()); }
  SUBCASE("a scan is ordered, half open, and stops when told") { check_scans(*make()); }
  SUBCASE("a scan back is the same from the end") { check_scans_back(*make()); }
  SUBCASE("ranges are half open, and empty where they end before they begin") {
    check_ranges(*make());
  }
  SUBCASE("applied and durable") { check_sequences(*make()); }
  SUBCASE("model: random batches against a map") { check_model(*make()); }
}

}  // namespace gnomon::store
