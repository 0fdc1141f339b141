#include "runtime/timer.h"

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::runtime {
namespace {

class Noting final : public Timer {
 public:
  Noting(std::vector<int>& log, int number) : log_(log), number_(number) {}
  ~Noting() override = default;
  std::function<void()> then;

 private:
  void on_timer() override {
    log_.push_back(number_);
    if (then) then();
  }
  std::vector<int>& log_;
  int number_;
};

TEST_CASE("timers run in order of their instants, at most so many, and may arm again or die") {
  Timers timers;
  std::vector<int> log;
  Noting first(log, 1), second(log, 2);
  auto third = std::make_unique<Noting>(log, 3);
  timers.arm(second, Instant{20});
  timers.arm(first, Instant{10});
  timers.arm(*third, Instant{30});
  CHECK(timers.next() == Instant{10});
  bool again = true;
  first.then = [&] {
    if (!std::exchange(again, false)) return;
    timers.arm(first, Instant{25});
    third.reset();
  };
  timers.run(Instant{9}, 10);
  CHECK(log.empty());
  timers.run(Instant{100}, 1);
  CHECK(log == std::vector{1});
  CHECK(timers.size() == 2);
  timers.run(Instant{100}, 10);
  CHECK(log == std::vector{1, 2, 1});
  CHECK(timers.next() == Instant::never());
  CHECK_FALSE(first.armed());
}

TEST_CASE("model: arming, moving, disarming and destroying at random") {
  SeededRandom random(3);
  Timers timers;
  std::vector<int> log;
  std::map<int, std::unique_ptr<Noting>> all;
  std::multimap<std::int64_t, int> model;
  const auto forget = [&](int number) {
    std::erase_if(model, [number](auto& entry) { return entry.second == number; });
  };
  std::int64_t now = 0;
  for (int i = 0; i < 20'000; ++i) {
    const int number = static_cast<int>(random.below(100));
    auto& timer = all[number];
    switch (random.below(5)) {
      case 0:
        forget(number);
        timer.reset();
        break;
      case 1:
        forget(number);
        if (timer) timer->disarm();
        break;
      case 2: {
        now += static_cast<std::int64_t>(random.below(20));
        log.clear();
        timers.run(Instant{now}, 1000);
        // Timers of the same instant run in any order: compare instants.
        std::size_t due = 0;
        for (; !model.empty() && model.begin()->first <= now; model.erase(model.begin())) ++due;
        CHECK(log.size() == due);
        break;
      }
      default: {
        if (!timer) timer = std::make_unique<Noting>(log, number);
        forget(number);
        const std::int64_t at = now + static_cast<std::int64_t>(random.below(200));
        timers.arm(*timer, Instant{at});
        model.emplace(at, number);
      }
    }
    CHECK(timers.size() == model.size());
    CHECK(timers.next() == (model.empty() ? Instant::never() : Instant{model.begin()->first}));
  }
}

}  // namespace
}  // namespace gnomon::runtime
