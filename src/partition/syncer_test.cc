#include "partition/syncer.h"

#include <memory>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "runtime/network.h"

namespace gnomon::partition {
namespace {

// A store whose syncs wait until the test lets them, or fail.
class GatedStore final : public store::Store {
 public:
  Result<store::Sequence> apply(const store::Batch&) override { return ++applied_; }
  Result<store::Sequence> sync() override {
    const store::Sequence reached = applied_;
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return allowed_ >= begun_; });
    if (fails_) return Error{Code::unavailable, "no disk"};
    durable_ = reached;
    changed_.notify_all();
    return reached;
  }
  [[nodiscard]] store::Sequence applied() const override { return applied_; }
  [[nodiscard]] store::Sequence durable() const override { return durable_; }
  [[nodiscard]] bool accepting() const override { return true; }
  Result<std::optional<std::string>> get(std::string_view) const override {
    return std::optional<std::string>();
  }
  Result<void> scan(std::string_view, std::string_view, const Visit&) const override { return {}; }
  Result<void> scan_back(std::string_view, std::string_view, const Visit&) const override {
    return {};
  }
  Result<void> checkpoint(const std::string&) override { return {}; }

  void allow(int more) {
    const std::lock_guard lock(mutex_);
    allowed_ += more;
    changed_.notify_all();
  }
  void fail() {
    const std::lock_guard lock(mutex_);
    fails_ = true;
  }
  void wait_begun(int syncs) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= syncs; });
  }
  void wait_durable(store::Sequence sequence) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return durable_ >= sequence; });
  }
  int begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int begun_ = 0, allowed_ = 0;
  bool fails_ = false;
  std::atomic<store::Sequence> applied_{0}, durable_{0};
};

struct Fixture {
  SystemMonotonicClock clock;
  SystemWallClock wall;
  GatedStore store;
  std::atomic<int> broken{0};
  ThreadSyncer syncer{store, {}, clock, [this](const Error& error) {
                        CHECK(error.message == "no disk");
                        ++broken;
                        broken.notify_all();
                      }};
  ~Fixture() { store.allow(1'000'000); }  // before the syncer stops
  void apply() { REQUIRE(store.apply({}).ok()); }
};

TEST_CASE("requests during a sync are met by one sync more") {
  Fixture f;
  f.syncer.start();
  f.apply();
  f.syncer.request(0);
  f.store.wait_begun(1);
  for (int i = 0; i < 100; ++i) {
    f.apply();
    f.syncer.request(0);
  }
  CHECK(f.store.durable() == 0);
  f.store.allow(1);
  f.store.wait_begun(2);
  CHECK(f.store.durable() == 1);
  f.store.allow(1);
  f.store.wait_durable(101);
  f.syncer.stop();
  CHECK(f.store.begun() == 2);
  const auto stats = f.syncer.stats();
  CHECK(stats.syncs == 2);
  CHECK(stats.max_ns > 0);
  CHECK(stats.total_ns >= stats.max_ns);
  CHECK(f.broken == 0);
}

TEST_CASE("a stop makes durable what nobody asked for, and not what is durable already") {
  Fixture f;
  f.store.allow(1000);
  SUBCASE("applied") {
    f.syncer.start();
    f.apply();
    f.syncer.stop();
    f.syncer.stop();
    CHECK(f.store.durable() == 1);
    CHECK(f.store.begun() == 1);
  }
  SUBCASE("nothing") {
    f.syncer.start();
    f.syncer.stop();
    CHECK(f.store.begun() == 0);
  }
  SUBCASE("never started") { f.syncer.stop(); }
}

TEST_CASE("a failed sync is told once and never tried again") {
  Fixture f;
  f.store.allow(1000);
  f.store.fail();
  f.syncer.start();
  f.apply();
  f.syncer.request(0);
  f.broken.wait(0);
  for (int i = 0; i < 10; ++i) {
    f.apply();
    f.syncer.request(0);
  }
  f.syncer.stop();
  CHECK(f.broken == 1);
  CHECK(f.store.begun() == 1);
  CHECK(f.syncer.stats().syncs == 0);
}

// A lost request would leave the waiting thread where it is, and the test fail by its timeout.
TEST_CASE("no request of four threads is lost") {
  Fixture f;
  f.store.allow(1'000'000);
  f.syncer.start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const store::Sequence sequence = *f.store.apply({});
        f.syncer.request(0);
        f.store.wait_durable(sequence);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  f.syncer.stop();
  CHECK(f.store.durable() == 4000);
}

// Notes that the loop was woken after something was durable.
struct Woken final : runtime::TurnHandler {
  explicit Woken(store::Store& store) : store_(store) {}
  bool on_turn() override {
    seen = store_.durable();
    seen.notify_all();
    return false;
  }
  [[nodiscard]] bool has_mail() const override { return store_.durable() != seen; }
  store::Store& store_;
  std::atomic<store::Sequence> seen{0};
};

TEST_CASE("the loops that asked are woken when what they wait for is durable") {
  Fixture f;
  f.store.allow(1000);
  const auto network = runtime::make_epoll_network(f.clock, f.wall);
  const auto first = network->make_loop(), second = network->make_loop();
  Woken one(f.store), two(f.store);
  first->set_turn_handler(&one);
  second->set_turn_handler(&two);
  first->start("one");
  second->start("two");
  ThreadSyncer syncer(f.store, {first.get(), second.get()}, f.clock, [](const Error&) {});
  syncer.start();
  for (store::Sequence n = 1; n <= 100; ++n) {
    f.apply();
    syncer.request(0);
    syncer.request(1);
    one.seen.wait(n - 1);
    two.seen.wait(n - 1);
  }
  syncer.stop();
  first->stop();
  second->stop();
  CHECK(one.seen == 100);
  CHECK(two.seen == 100);
}

}  // namespace
}  // namespace gnomon::partition
