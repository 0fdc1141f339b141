#include <array>
#include <string>

#include <doctest/doctest.h>

#include "base/random.h"
#include "partition/committer.h"
#include "partition/slots.h"

namespace gnomon::partition {
namespace {

TEST_CASE("the slot of a key never changes") {
  // Written down once: these are part of the format on disk.
  CHECK(slot_of(KeyKind::client_id, "").value == 156);
  CHECK(slot_of(KeyKind::client_id, "lamp").value == 124);
  CHECK(slot_of(KeyKind::thing, "lamp").value == 122);
  CHECK(slot_of(KeyKind::topic, "a/b/c").value == 9);
  CHECK(slot_of(KeyKind::share_group, "g").value == 34);
  // Of one slot: tests/fixtures/make.mjs lets them share messages.
  for (const char* id : {"body-9", "body-46", "body-183"}) {
    CHECK(slot_of(KeyKind::client_id, id).value == 44);
  }
}

TEST_CASE("keys spread over slots") {
  std::array<int, slots> used{};
  for (int i = 0; i < slots * 100; ++i) {
    ++used[slot_of(KeyKind::client_id, "device-" + std::to_string(i)).value];
  }
  for (const int count : used) {
    CHECK(count > 50);
    CHECK(count < 170);
  }
}

// A store whose disk is slow, and that can refuse.
class SlowStore final : public store::Store {
 public:
  Result<store::Sequence> apply(const store::Batch& batch) override {
    if (refuse) return Error{Code::exhausted, "no space"};
    ++batches;
    operations += static_cast<int>(batch.operations.size());
    return ++applied_up_to;
  }
  Result<store::Sequence> sync() override { return durable_up_to = applied_up_to; }
  [[nodiscard]] store::Sequence applied() const override { return applied_up_to; }
  [[nodiscard]] store::Sequence durable() const override { return durable_up_to; }
  Result<std::optional<std::string>> get(std::string_view) const override {
    return std::optional<std::string>();
  }
  Result<void> scan(std::string_view, std::string_view, const Visit&) const override { return {}; }
  Result<void> scan_back(std::string_view, std::string_view, const Visit&) const override {
    return {};
  }
  [[nodiscard]] bool accepting() const override { return true; }
  Result<void> checkpoint(const std::string&) override {
    return Error{Code::unsupported, "not this one"};
  }

  store::Sequence applied_up_to = 0, durable_up_to = 0;
  int batches = 0, operations = 0;
  bool refuse = false;
};

using Outcomes = std::vector<int>;

TEST_CASE("outcomes wait for what was written before them, several batches deep") {
  SlowStore store;
  Committer<int> committer(store);
  Outcomes ready, failed;
  committer.batch().operations.emplace_back(store::Put{"a", "1"});
  committer.batch().operations.emplace_back(store::Put{"b", "1"});
  committer.after(1);
  CHECK(committer.commit(ready, failed).ok());
  committer.batch().operations.emplace_back(store::Put{"c", "1"});
  committer.after(2);
  committer.after(3);
  CHECK(committer.commit(ready, failed).ok());
  CHECK(store.batches == 2);
  CHECK(store.operations == 3);
  CHECK(ready.empty());
  CHECK(committer.waiting() == 3);
  committer.durable(1, ready);
  CHECK(ready == Outcomes{1});
  committer.durable(2, ready);
  CHECK(ready == Outcomes{1, 2, 3});
  CHECK(failed.empty());
}

TEST_CASE("an outcome without a write of its own still waits for the writes before it") {
  SlowStore store;
  Committer<int> committer(store);
  Outcomes ready, failed;
  committer.batch().operations.emplace_back(store::Put{"a", "1"});
  CHECK(committer.commit(ready, failed).ok());
  committer.after(7);
  CHECK(committer.commit(ready, failed).ok());
  CHECK(ready.empty());
  CHECK(store.batches == 1);
  CHECK(store.sync().ok());
  CHECK(committer.commit(ready, failed).ok());
  CHECK(ready == Outcomes{7});
}

TEST_CASE("what nobody waits for need not become durable") {
  SlowStore store;
  Committer<int> committer(store);
  Outcomes ready, failed;
  CHECK(committer.waits_for() == 0);
  committer.batch().operations.emplace_back(store::Put{"a", "1"});
  committer.after(1);
  CHECK(committer.commit(ready, failed).ok());
  committer.batch().operations.emplace_back(store::Erase{"b"});
  CHECK(committer.commit(ready, failed).ok());
  CHECK(committer.applied() == 2);
  CHECK(committer.waits_for() == 1);
  committer.durable(1, ready);
  CHECK(committer.waits_for() == 0);
}

TEST_CASE("when the store refuses, the outcomes of that turn fail and earlier ones do not") {
  SlowStore store;
  Committer<int> committer(store);
  Outcomes ready, failed;
  committer.batch().operations.emplace_back(store::Put{"a", "1"});
  committer.after(1);
  CHECK(committer.commit(ready, failed).ok());
  store.refuse = true;
  committer.batch().operations.emplace_back(store::Put{"b", "1"});
  committer.after(2);
  const auto refused = committer.commit(ready, failed);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "no space");
  CHECK(failed == Outcomes{2});
  CHECK(committer.idle());
  committer.durable(1, ready);
  CHECK(ready == Outcomes{1});
}

}  // namespace
}  // namespace gnomon::partition
