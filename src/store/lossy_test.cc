#include "store/lossy.h"

#include <set>

#include "store/store_contract.h"

namespace gnomon::store {
namespace {

TEST_CASE("the store that loses keeps the contract while nothing crashes") {
  check_contract([] { return std::make_unique<LossyStore>(); });
}

TEST_CASE("a crash keeps what was synced and a prefix of the rest, batches whole") {
  SeededRandom random(11);
  std::set<std::size_t> losses;
  for (int run = 0; run < 300; ++run) {
    LossyStore store;
    std::vector<std::map<std::string, std::string>> states(1);
    std::size_t synced = 0;
    for (int i = 0; i < 10; ++i) {
      Batch batch;
      auto next = states.back();
      if (!random_batch(random, batch, next)) continue;
      REQUIRE(store.apply(batch).ok());
      states.push_back(next);
      if (i == 5) {
        REQUIRE(store.sync().ok());
        synced = states.size() - 1;
      }
    }
    const Sequence applied = store.applied();
    const std::size_t lost = store.crash(random);
    losses.insert(lost);
    REQUIRE(lost < states.size());
    CHECK(states.size() - 1 - lost >= synced);
    CHECK(all(store) == states[states.size() - 1 - lost]);
    CHECK(store.applied() == applied);
    CHECK(store.durable() == applied);
    CHECK(store.crash(random) == 0);
    CHECK(apply_puts(store, {Put{"a", "1"}}) == applied + 1);
  }
  CHECK(losses.contains(0));
  CHECK(losses.contains(4));
}

TEST_CASE("a refusing disk writes nothing, and may come back") {
  LossyStore store;
  store.set_refusing(true);
  Batch batch;
  batch.operations = {Put{"a", "1"}};
  CHECK(store.apply(batch).error().code == Code::unavailable);
  CHECK(store.applied() == 0);
  store.set_refusing(false);
  CHECK(store.apply(batch).ok());
  store.set_accepting(false);
  CHECK_FALSE(store.accepting());
  CHECK(store.apply(batch).ok());
}

TEST_CASE("a failed sync breaks it until it is started anew") {
  SeededRandom random(1);
  LossyStore store;
  apply_puts(store, {Put{"a", "1"}});
  store.break_next_sync();
  CHECK(store.sync().error().code == Code::unavailable);
  CHECK(store.sync().error().code == Code::unavailable);
  CHECK(store.apply({}).error().code == Code::unavailable);
  CHECK(store.durable() == 0);
  CHECK(**store.get("a") == "1");
  store.crash(random);
  apply_puts(store, {Put{"b", "1"}});
  CHECK(store.sync().ok());
}

}  // namespace
}  // namespace gnomon::store
