// A million things on the disk, measured; skipped unless it is asked for:
// registry_test -tc="measure*" -ns
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include <doctest/doctest.h>

#include "registry/registry_fixture.h"
#include "registry/thing_types.h"
#include "registry/things.h"
#include "store/rocks.h"
#include "store/temporary_folder.h"

namespace gnomon::registry {
namespace {

constexpr int things = 1'000'000, types = 100, clients = 16;

std::string name_of_thing(int i) { return "thing-" + std::to_string(1'000'000 + i); }

CreateThing thing(int i) {
  Attributes attributes{{"serial", std::to_string(i)},
                        {"colour", i % 2 == 0 ? "red" : "green"},
                        {"site", "site-" + std::to_string(i % 1000)}};
  return {name_of_thing(i), "type-" + std::to_string(i % types), AttributePayload{attributes}, ""};
}

// Who makes durable, and who waits for it: as the server's syncer does.
class Syncing {
 public:
  explicit Syncing(store::Store& store) : store_(store), thread_([this] { run(); }) {}
  ~Syncing() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void wait(store::Sequence sequence) {
    std::unique_lock lock(mutex_);
    wanted_ = std::max(wanted_, sequence);
    changed_.notify_all();
    changed_.wait(lock, [&] { return store_.durable() >= sequence; });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      changed_.wait(lock, [&] { return stopping_ || wanted_ > store_.durable(); });
      lock.unlock();
      CHECK(store_.sync());
      lock.lock();
      changed_.notify_all();
    }
  }

  store::Store& store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  store::Sequence wanted_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

const SystemMonotonicClock monotonic;

// Milliseconds that each call takes, sorted.
template <class F>
std::vector<double> timed(int calls, F&& call) {
  std::vector<double> times;
  for (int i = 0; i < calls; ++i) {
    const Instant begin = monotonic.now();
    call(i);
    times.push_back(static_cast<double>((monotonic.now() - begin).count()) / 1e6);
  }
  std::ranges::sort(times);
  return times;
}

void print(const char* what, const std::vector<double>& times) {
  std::printf("  %-44s p50 %.3f ms, p99 %.3f ms, longest %.3f ms\n", what, times[times.size() / 2],
              times[times.size() * 99 / 100], times.back());
}

template <class F>
double seconds_of(int threads, F&& work) {
  const Instant begin = monotonic.now();
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back([&work, i] { work(i); });
  for (std::thread& one : all) one.join();
  return static_cast<double>((monotonic.now() - begin).count()) / 1e9;
}

// Follows a listing for so many pages.
void pages(const Registry& registry, const char* what, ListThings request) {
  std::size_t found = 0;
  const auto times = timed(200, [&](int) {
    const auto page = list_things(registry, request);
    REQUIRE(page);
    found += page->items.size();
    request.page.token = page->next_token;
  });
  print(what, times);
  CHECK(found > 0);
  CHECK(times[times.size() * 99 / 100] < 10);
}

// Sixteen clients create things, and each waits until its thing is durable.
void create_durably(Registry& registry, int first, int count) {
  std::atomic<int> failed{0};
  Syncing syncing(registry.store);
  const double seconds = seconds_of(clients, [&](int client) {
    for (int i = first + client; i < first + count; i += clients) {
      const auto made = create_thing(registry, thing(i));
      if (!made) ++failed;
      if (made) syncing.wait(made->sequence);
    }
  });
  CHECK(failed == 0);
  std::printf("  CreateThing, durable, %d clients, %d to %d: %.0f/s\n", clients, first,
              first + count, count / seconds);
}

TEST_CASE("measure: a million things" * doctest::skip()) {
  const store::TemporaryFolder folder;
  const auto store = store::open_rocks_store({folder / "store"}, monotonic);
  REQUIRE(store);
  ManualWallClock clock;
  SystemRandom random;
  Registry registry{**store, clock, random, Fixture::devices(), "123456789012", "us-east-1"};
  for (int i = 0; i < types; ++i)
    REQUIRE(create_thing_type(registry, {"type-" + std::to_string(i), {}, {}}));

  for (int first = 0; first < things; first += things / 10)
    create_durably(registry, first, things / 10);
  print("DescribeThing", timed(20'000, [&](int) {
          const auto name = name_of_thing(static_cast<int>(random.below(things)));
          CHECK(describe_thing(registry, name));
        }));
  pages(registry, "ListThings", {});
  pages(registry, "ListThings of a type", {"", {}, false, "type-7", {}});
  pages(registry, "ListThings by a value", {"colour", "red", false, "", {}});
  pages(registry, "ListThings by the beginning of a value", {"site", "site-9", true, "", {}});
  pages(registry, "ListThings by a value and a type", {"colour", "red", false, "type-8", {}});
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS") || line.starts_with("VmHWM")) std::printf("  %s\n", line.c_str());
}

}  // namespace
}  // namespace gnomon::registry
