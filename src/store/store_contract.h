#include "store/memory.h"

#include <map>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::store {
namespace {

std::map<std::string, std::string> all(const Store& store) {
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

TEST_CASE("a batch is written whole, in order, or not at all") {
  const auto store = make_memory_store();
  Batch batch;
  batch.operations = {Put{"a", "1"}, Put{"b", "2"},        Erase{"a"},
                      Put{"c", "3"}, EraseRange{"b", "c"}, Put{"a", "4"}};
  const auto first = store->apply(batch);
  REQUIRE(first.ok());
  CHECK(all(*store) == std::map<std::string, std::string>{{"a", "4"}, {"c", "3"}});
  CHECK(store->durable() == *first);

  batch.clear();
  batch.conditions = {{"a", "4"}, {"x", std::nullopt}, {"c", "wrong"}};
  batch.operations = {Put{"a", "5"}};
  const auto refused = store->apply(batch);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Code::conflict);
  CHECK(**store->get("a") == "4");
  CHECK(store->durable() == *first);

  batch.conditions.pop_back();
  CHECK(*store->apply(batch) == *first + 1);
  CHECK(**store->get("a") == "5");
  CHECK_FALSE(store->get("x")->has_value());
}

TEST_CASE("a scan is ordered, half open, and stops when told") {
  const auto store = make_memory_store();
  Batch batch;
  for (const char* key : {"d", "a", "c", "b"}) batch.operations.emplace_back(Put{key, key});
  REQUIRE(store->apply(batch).ok());
  std::string keys;
  const auto collect = [&](std::string_view key, std::string_view) {
    keys += key;
    return keys.size() < 2;
  };
  CHECK(store->scan("b", "d", collect).ok());
  CHECK(keys == "bc");
  keys.clear();
  CHECK(store->scan("a", "z", collect).ok());
  CHECK(keys == "ab");
}

TEST_CASE("model: random batches against a map") {
  SeededRandom random(5);
  const auto store = make_memory_store();
  std::map<std::string, std::string> model;
  const auto key = [&] { return std::string(1, static_cast<char>('a' + random.below(20))); };
  for (int i = 0; i < 3000; ++i) {
    Batch batch;
    auto next = model;
    bool holds = true;
    if (random.below(3) == 0) {
      Condition condition{key(), std::nullopt};
      if (random.below(2) == 0) condition.value = std::to_string(random.below(3));
      const auto it = model.find(condition.key);
      holds = it == model.end() ? !condition.value : condition.value == it->second;
      batch.conditions.push_back(condition);
    }
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      const std::string k = key();
      switch (random.below(3)) {
        case 0:
          batch.operations.emplace_back(Put{k, std::to_string(random.below(3))});
          next[k] = std::get<Put>(batch.operations.back()).value;
          break;
        case 1:
          batch.operations.emplace_back(Erase{k});
          next.erase(k);
          break;
        default: {
          const std::string end = key();
          batch.operations.emplace_back(EraseRange{k, end});
          std::erase_if(next, [&](auto& entry) { return entry.first >= k && entry.first < end; });
        }
      }
    }
    CHECK(store->apply(batch).ok() == holds);
    if (holds) model = next;
    CHECK(all(*store) == model);
  }
}

}  // namespace
}  // namespace gnomon::store
