#include "records/transaction.h"

#include <array>
#include <atomic>
#include <charconv>

#include <doctest/doctest.h>

#include "base/random.h"
#include "store/failing.h"
#include "store/lossy.h"
#include "store/memory.h"
#include "store/store_contract.h"

namespace gnomon::records {
namespace {

int number(std::optional<std::string_view> text) {
  int value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

Result<int> add(Transaction& transaction, std::string_view key, int more) {
  const int value = number(transaction.get(key)) + more;
  if (value < 0) return Error{Code::invalid, "it would be below nothing"};
  transaction.put(key, std::to_string(value));
  return value;
}

TEST_CASE("reads see the transaction's own writes") {
  const auto store = store::make_memory_store();
  store::apply_puts(*store, {store::Put{"a", "1"}, store::Put{"b", "2"}, store::Put{"c", "3"}});
  const auto done = run(*store, [](Transaction& transaction) -> Result<int> {
    CHECK(transaction.get("a") == "1");
    transaction.put("a", "4");
    CHECK(transaction.get("a") == "4");
    CHECK(transaction.peek("a") == "4");
    transaction.erase("a");
    CHECK(transaction.absent("a"));
    transaction.put("b", "5");
    transaction.erase_range("b", "d");
    CHECK(transaction.absent("b"));
    CHECK(transaction.absent("c"));
    CHECK_FALSE(transaction.peek("c"));
    transaction.put("c", "6");
    CHECK(transaction.get("c") == "6");
    return 7;
  });
  REQUIRE(done.ok());
  CHECK(done->value == 7);
  CHECK(done->sequence == store->applied());
  CHECK(store::all(*store) == std::map<std::string, std::string>{{"c", "6"}});
}

TEST_CASE("what is put back as it was read stays, also within a range that is erased") {
  const auto store = store::make_memory_store();
  store::apply_puts(*store, {store::Put{"a", "1"}, store::Put{"b", "2"}});
  REQUIRE(run(*store, [](Transaction& transaction) -> Result<int> {
            transaction.put("a", std::string(*transaction.get("a")));
            const std::string kept(*transaction.get("b"));
            transaction.erase_range("a", "z");
            transaction.put("b", kept);
            return 0;
          }).ok());
  CHECK(store::all(*store) == std::map<std::string, std::string>{{"b", "2"}});
}

TEST_CASE("an attempt whose reads have changed is made again; peeks and scans do not count") {
  const auto store = store::make_memory_store();
  store::apply_puts(*store, {store::Put{"a", "1"}, store::Put{"b", "1"}});
  int attempts = 0;
  const auto done = run(*store, [&](Transaction& transaction) -> Result<int> {
    const int value = number(transaction.get("a"));
    transaction.peek("b");
    transaction.scan("a", "z", [](auto, auto) { return true; });
    transaction.scan_back("a", "z", [](auto, auto) { return true; });
    if (++attempts == 1) store::apply_puts(*store, {store::Put{"a", "5"}});
    store::apply_puts(*store, {store::Put{"b", std::to_string(attempts)}});
    transaction.put("c", std::to_string(value));
    return value;
  });
  REQUIRE(done.ok());
  CHECK(attempts == 2);
  CHECK(done->value == 5);
  CHECK(**store->get("c") == "5");
}

TEST_CASE("a key that must be absent") {
  const auto store = store::make_memory_store();
  const auto make = [&] {
    return run(*store, [](Transaction& transaction) -> Result<int> {
      if (!transaction.absent("a")) return Error{Code::conflict, "it is there"};
      transaction.put("a", "1");
      return 0;
    });
  };
  CHECK(make().ok());
  CHECK(make().error() == Error{Code::conflict, "it is there"});
}

TEST_CASE("who can never win is told so") {
  const auto store = store::make_memory_store();
  int attempts = 0;
  const auto done = run(*store, [&](Transaction& transaction) -> Result<int> {
    transaction.get("a");
    store::apply_puts(*store, {store::Put{"a", std::to_string(++attempts)}});
    transaction.put("b", "1");
    return 0;
  });
  CHECK(done.error().code == Code::unavailable);
  CHECK(attempts == attempts_max);
  CHECK_FALSE(store->get("b")->has_value());
}

TEST_CASE("an error writes nothing; nothing to write makes no batch, but is to be durable") {
  store::LossyStore store;
  CHECK(run(store, [](Transaction& transaction) { return add(transaction, "a", 1); }).ok());
  const auto refused = run(store, [](Transaction& transaction) -> Result<int> {
    transaction.put("b", "1");
    return add(transaction, "a", -2);
  });
  CHECK(refused.error().message == "it would be below nothing");
  CHECK(store.applied() == 1);
  const auto same = run(store, [](Transaction& transaction) { return add(transaction, "a", 0); });
  REQUIRE(same.ok());
  CHECK(store.applied() == 1);
  CHECK(same->sequence == 1);  // who confirms that "a" is 1 waits as who has written it
  CHECK(*read(store, [](Transaction& transaction) -> Result<int> {
    return number(transaction.get("a"));
  }) == 1);
}

TEST_CASE("a disk below its reserve takes what frees it") {
  store::LossyStore store;
  store::apply_puts(store, {store::Put{"a", "1"}});
  store.set_accepting(false);
  CHECK(
      run(store, [](Transaction& transaction) { return add(transaction, "a", 1); }).error().code ==
      Code::unavailable);
  CHECK(run(store, [](Transaction& transaction) { return add(transaction, "a", 0); }).ok());
  CHECK(run(store, [](Transaction& transaction) -> Result<int> {
          transaction.always();
          return add(transaction, "b", 1);
        }).ok());
  CHECK(run(store, [](Transaction& transaction) -> Result<int> {
          transaction.erase("a");
          return 0;
        }).ok());
  CHECK(store::all(store) == std::map<std::string, std::string>{{"b", "1"}});
}

TEST_CASE("property: each call that fails leaves all as it was, and says so") {
  const auto below = store::make_memory_store();
  store::apply_puts(*below, {store::Put{"a", "1"}, store::Put{"x1", "1"}, store::Put{"x2", "1"}});
  store::FailingStore store(*below);
  const auto work = [&] {
    return run(store, [](Transaction& transaction) -> Result<int> {
      int found = 0;
      const auto count = [&](auto, auto) { return ++found > 0; };
      transaction.scan("x", "y", count);
      transaction.scan_back("x", "y", count);
      transaction.peek("x1");
      transaction.erase_range("x", "y");
      transaction.put("b", std::to_string(found));
      if (auto added = add(transaction, "a", 1); !added) return added.error();
      return found;
    });
  };
  const auto before = store::all(*below);
  int failures = 0;
  for (bool failed = true; failed; ++failures) {
    store.fail_after(failures);
    const auto done = work();
    failed = !store.relent();
    CHECK(done.ok() != failed);
    if (!failed) break;
    CHECK(done.error().code == Code::unavailable);
    CHECK(store::all(*below) == before);
  }
  CHECK(failures == 5);
  CHECK(store::all(*below) == std::map<std::string, std::string>{{"a", "2"}, {"b", "4"}});
}

TEST_CASE("property: threads on the same keys lose no update") {
  constexpr int threads = 4, rounds = 400;
  const auto store = store::make_memory_store();
  store::apply_puts(*store, {store::Put{"left", "100"}, store::Put{"right", "100"}});
  std::atomic<int> counted{0};
  std::array<std::thread, threads> workers;
  for (int i = 0; i < threads; ++i) {
    workers[static_cast<std::size_t>(i)] = std::thread([&, i] {
      SeededRandom random(static_cast<std::uint64_t>(i));
      for (int round = 0; round < rounds; ++round) {
        if (run(*store, [](Transaction& transaction) { return add(transaction, "count", 1); }))
          ++counted;
        // Moves some from one to the other; never below nothing.
        const int moved = static_cast<int>(random.below(7)) - 3;
        const auto moving = run(*store, [&](Transaction& transaction) -> Result<int> {
          if (auto taken = add(transaction, "left", -moved); !taken) return taken;
          return add(transaction, "right", moved);
        });
        if (!moving && moving.error().code == Code::unavailable) round = rounds;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(counted == threads * rounds);
  CHECK(number(**store->get("count")) == threads * rounds);
  CHECK(number(**store->get("left")) + number(**store->get("right")) == 200);
}

TEST_CASE("a blind write takes its turn with those that look first") {
  // Without a condition of its own it could come between another's look and its write.
  const auto store = store::make_memory_store();
  store::FailingStore watched(*store);
  watched.fail_after(0);
  CHECK(run(watched,
            [](Transaction& transaction) -> Result<int> {
              transaction.put("a", "1");
              return 0;
            })
            .error()
            .code == Code::unavailable);  // it has read "a"
}

}  // namespace
}  // namespace gnomon::records
