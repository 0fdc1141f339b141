#include "base/wall_guard.h"

#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"

namespace gnomon {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = WallGuard::Event::Kind;

constexpr hours day{24}, year{24 * 365};
constexpr WallTime today{1'760'000'000'000};        // in 2025
constexpr auto late = limits::clock_record_period;  // by which a record may be
constexpr WallTime unset{5'000};  // a clock without a battery, five seconds after power

// A machine with its two clocks, and a guard that reads them.
struct Machine {
  explicit Machine(WallTime shows = today) : wall(shows) {}

  // Time goes by, which both clocks see.
  void pass(milliseconds by) {
    wall = wall + by;
    elapsed = elapsed + by;
  }
  void set(WallTime to) { wall = to; }
  std::optional<WallGuard::Event> begin(const std::optional<WallGuard::Record>& record = {}) {
    return guard.begin(record, wall, elapsed);
  }
  std::optional<WallGuard::Event> read() { return guard.read(wall, elapsed); }
  // One that must have told of something.
  Kind told() {
    const auto event = read();
    REQUIRE(event.has_value());
    return event->kind;
  }
  WallTime quiet() {
    const auto event = read();
    CHECK_FALSE(event.has_value());
    return guard.now();
  }

  WallTime wall;
  Instant elapsed{77};
  WallGuard guard;
};

TEST_CASE("while the clocks agree it is what the wall clock shows") {
  Machine machine;
  CHECK_FALSE(machine.begin().has_value());
  CHECK(machine.guard.now() == today);
  machine.pass(milliseconds(1));
  CHECK(machine.quiet() == today + milliseconds(1));
  machine.pass(3 * day);
  CHECK(machine.quiet() == machine.wall);
  CHECK_FALSE(machine.guard.doubts());
  CHECK(machine.guard.record() == WallGuard::Record{machine.wall, machine.wall, false});
}

TEST_CASE("a clock that runs too fast or too slow is followed") {
  for (const int parts : {-500, 500}) {  // per million, what a machine's clock may be off by
    Machine machine;
    machine.begin();
    for (int i = 0; i < 100'000; ++i) {
      machine.pass(seconds(10));
      if (i % 200 == 0) machine.wall = machine.wall + milliseconds(parts * 2);
      REQUIRE_FALSE(machine.read().has_value());
    }
    CHECK(machine.guard.now() == machine.wall);
  }
}

TEST_CASE("small steps are taken; back it stands still until the wall clock is there again") {
  Machine machine;
  machine.begin();
  machine.set(machine.wall + seconds(20));
  CHECK(machine.quiet() == machine.wall);
  const WallTime before = machine.wall;
  machine.set(machine.wall + seconds(-20));
  CHECK(machine.quiet() == before);
  machine.pass(seconds(19));
  CHECK(machine.quiet() == before);
  machine.pass(seconds(2));
  CHECK(machine.quiet() == before + seconds(1));
}

TEST_CASE("a clock that is set back by an hour: time goes on") {
  Machine machine;
  machine.begin();
  machine.pass(seconds(10));
  const WallTime before = machine.wall;
  machine.set(before + hours(-1));
  const auto event = machine.read();
  REQUIRE(event.has_value());
  CHECK(*event == WallGuard::Event{Kind::back, before, before + hours(-1)});
  CHECK(machine.guard.now() == before);
  machine.pass(seconds(10));
  CHECK(machine.quiet() == before + seconds(10));
  machine.pass(day);
  CHECK(machine.quiet() == before + seconds(10) + day);
  CHECK(machine.guard.record() == WallGuard::Record{machine.guard.now(), machine.wall, false});

  SUBCASE("and set right again: as if nothing had been") {
    machine.set(machine.wall + hours(1));
    machine.pass(seconds(1));
    CHECK(machine.quiet() == machine.wall);
  }
  SUBCASE("and back once more") {
    machine.set(machine.wall + hours(-5));
    CHECK(machine.told() == Kind::back);
    machine.pass(seconds(1));
    CHECK(machine.quiet() == before + seconds(11) + day);
  }
  SUBCASE("and a start after that: the time between the runs is counted") {
    Machine next(machine.wall + hours(3));
    CHECK_FALSE(next.begin(machine.guard.record()).has_value());
    CHECK(next.guard.now() == machine.guard.now() + hours(3));
  }
}

TEST_CASE("a clock that jumps by a year: not believed for an hour, in which time goes on") {
  Machine machine;
  machine.begin();
  machine.pass(seconds(10));
  const WallTime before = machine.wall;
  machine.set(before + year);
  const auto event = machine.read();
  REQUIRE(event.has_value());
  CHECK(*event == WallGuard::Event{Kind::forward, before, before + year});
  CHECK(machine.guard.now() == before);
  CHECK(machine.guard.doubts());
  machine.pass(minutes(59));
  CHECK(machine.quiet() == before + minutes(59));

  SUBCASE("and is corrected: nothing has happened") {
    machine.set(machine.wall + -year);
    CHECK(machine.told() == Kind::corrected);
    CHECK(machine.guard.now() == machine.wall);
    CHECK_FALSE(machine.guard.doubts());
    machine.pass(hours(2));
    CHECK(machine.quiet() == before + minutes(59) + hours(2));
  }
  SUBCASE("and stays: then it is believed") {
    machine.pass(minutes(1));
    const auto believed = machine.read();
    REQUIRE(believed.has_value());
    CHECK(*believed == WallGuard::Event{Kind::believed, before + hours(1), machine.wall});
    CHECK(machine.guard.now() == machine.wall);
    CHECK(machine.wall == before + year + hours(1));
    CHECK_FALSE(machine.guard.doubts());
    machine.pass(seconds(1));
    CHECK(machine.quiet() == machine.wall);
    // Set right too late: it stays ahead, and durations stay right.
    machine.set(machine.wall + -year);
    CHECK(machine.told() == Kind::back);
    machine.pass(seconds(5));
    CHECK(machine.quiet() == before + year + hours(1) + seconds(6));
  }
  SUBCASE("and jumps again: the hour begins anew") {
    machine.set(machine.wall + year);
    CHECK(machine.told() == Kind::forward);
    machine.pass(minutes(59));
    CHECK(machine.quiet() == before + minutes(118));
    machine.pass(minutes(1));
    CHECK(machine.told() == Kind::believed);
    CHECK(machine.guard.now() == machine.wall);
  }
  SUBCASE("and is set back behind where it was: time goes on from there") {
    machine.set(before + -day);
    CHECK(machine.told() == Kind::back);
    CHECK_FALSE(machine.guard.doubts());
    machine.pass(hours(2));
    CHECK(machine.quiet() == before + minutes(59) + hours(2));
  }
}

// The hypervisor stops it: neither of its clocks sees the three days, until somebody sets the wall
// clock right. A machine that sleeps sees them, by its other clock.
TEST_CASE("a machine that stood still for three days") {
  Machine machine;
  machine.begin();
  machine.pass(seconds(10));
  const WallTime before = machine.wall;
  SUBCASE("without having seen it: counted after an hour") {
    machine.set(machine.wall + 3 * day);
    CHECK(machine.told() == Kind::forward);
    machine.pass(hours(1));
    CHECK(machine.told() == Kind::believed);
    CHECK(machine.guard.now() == before + 3 * day + hours(1));
  }
  SUBCASE("asleep: no jump at all") {
    machine.pass(3 * day);
    CHECK(machine.quiet() == before + 3 * day);
  }
}

TEST_CASE("starts: the time between is counted") {
  const WallGuard::Record record{today, today, false};
  for (const milliseconds between :
       {milliseconds(0), milliseconds(seconds(1)), milliseconds(day), milliseconds(29 * day)}) {
    Machine machine(today + between);
    CHECK_FALSE(machine.begin(record).has_value());
    CHECK(machine.guard.now() == machine.wall);
  }
  // A few seconds back are nothing to tell of, but are not gone back.
  Machine machine(today + seconds(-5));
  CHECK_FALSE(machine.begin(record).has_value());
  CHECK(machine.guard.now() == today + late);
  machine.pass(late + seconds(8));
  CHECK(machine.quiet() == today + late + seconds(3));
}

TEST_CASE("a start longer than a month after the last: not believed for an hour") {
  Machine machine(today + year);
  const auto event = machine.begin(WallGuard::Record{today, today, false});
  REQUIRE(event.has_value());
  CHECK(*event == WallGuard::Event{Kind::forward, today + late, today + year});
  machine.pass(minutes(30));
  CHECK(machine.quiet() == today + late + minutes(30));
  // A start in between does not cut it short, and does not count the year either.
  Machine next(machine.wall + seconds(3));
  CHECK(machine.guard.record().doubted);
  const auto again = next.begin(machine.guard.record());
  REQUIRE(again.has_value());
  CHECK(again->kind == Kind::forward);
  CHECK(next.guard.now() == today + 2 * late + minutes(30));
  next.pass(minutes(59));
  CHECK(next.quiet() == today + 2 * late + minutes(89));
  next.pass(minutes(1));
  CHECK(next.told() == Kind::believed);
  CHECK(next.guard.now() == next.wall);
}

TEST_CASE("a start in doubt with the clock set right: the time between is counted") {
  Machine machine(today + seconds(30));
  CHECK_FALSE(machine.begin(WallGuard::Record{today, today, true}).has_value());
  CHECK(machine.guard.now() == today + seconds(30));
  CHECK_FALSE(machine.guard.record().doubted);
}

TEST_CASE("a start with the clock set back: on from where the last run ended") {
  Machine machine(today + hours(-1));
  const auto event = machine.begin(WallGuard::Record{today, today, false});
  REQUIRE(event.has_value());
  CHECK(*event == WallGuard::Event{Kind::back, today + late, today + hours(-1)});
  CHECK(machine.guard.now() == today + late);
  machine.pass(minutes(1));
  CHECK(machine.quiet() == today + late + minutes(1));
}

// A machine without a battery for its clock. When somebody sets it that tells nothing about how
// much time has passed, while the other clock tells it exactly.
TEST_CASE("a first start in 1970, and the right time later") {
  Machine machine(unset);
  const auto event = machine.begin();
  REQUIRE(event.has_value());
  CHECK(event->kind == Kind::unset);
  CHECK(event->to == unset);
  const WallTime first = machine.guard.now();
  CHECK(first >= limits::wall_time_least);
  machine.pass(seconds(30));
  CHECK(machine.quiet() == first + seconds(30));
  CHECK(machine.guard.record() == WallGuard::Record{first + seconds(30), {}, false});
  machine.set(today);
  CHECK(machine.told() == Kind::set);
  CHECK(machine.guard.now() == first + seconds(30));
  machine.pass(seconds(30));
  CHECK(machine.quiet() == first + seconds(60));
  // And on over further starts.
  Machine next(machine.wall + hours(1));
  CHECK_FALSE(next.begin(machine.guard.record()).has_value());
  CHECK(next.guard.now() == first + seconds(60) + hours(1));
  // A jump is one as ever.
  next.set(next.wall + year);
  CHECK(next.told() == Kind::forward);
}

TEST_CASE("a later start in 1970, and the right time later") {
  Machine machine(unset);
  const auto event = machine.begin(WallGuard::Record{today, today, false});
  REQUIRE(event.has_value());
  CHECK(*event == WallGuard::Event{Kind::unset, today + late, unset});
  machine.pass(seconds(30));
  CHECK(machine.quiet() == today + late + seconds(30));
  // Two runs that never knew the time.
  Machine second(unset);
  CHECK(second.begin(machine.guard.record())->kind == Kind::unset);
  CHECK(second.guard.now() == today + 2 * late + seconds(30));
  second.set(today + 2 * day);
  CHECK(second.told() == Kind::set);
  CHECK(second.guard.now() == today + 2 * late + seconds(30));
  second.pass(seconds(1));
  CHECK(second.quiet() == today + 2 * late + seconds(31));
  CHECK(second.guard.record() == WallGuard::Record{second.guard.now(), second.wall, false});
  // The record of a run that never knew the time, and a start that does.
  Machine third(today + 9 * day);
  const auto set = third.begin(machine.guard.record());
  REQUIRE(set.has_value());
  CHECK(set->kind == Kind::set);
  CHECK(third.guard.now() == today + 2 * late + seconds(30));
}

TEST_CASE("a clock that loses its time while all runs") {
  for (const WallTime impossible :
       {unset, WallTime{-1}, WallTime{0}, WallTime{INT64_MIN}, WallTime{INT64_MAX}}) {
    CAPTURE(impossible.ms);
    Machine machine;
    machine.begin();
    machine.set(impossible);
    CHECK(machine.told() == Kind::unset);
    CHECK(machine.guard.now() == today);
    machine.elapsed = machine.elapsed + minutes(5);
    CHECK(machine.quiet() == today + minutes(5));
    CHECK(machine.guard.record() ==
          WallGuard::Record{today + minutes(5), today + minutes(5), false});
    machine.set(today + minutes(5));
    CHECK(machine.quiet() == today + minutes(5));
  }
}

// Whatever is done to the clock: time never goes back, nor faster than it should but in the steps
// that are told of.
TEST_CASE("any clock, many runs") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    const auto below = [&](std::int64_t limit) {
      return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(limit)));
    };
    Machine machine(random.below(8) == 0 ? unset : today);
    machine.begin();
    WallTime last = machine.guard.now();
    for (int i = 0; i < 500; ++i) {
      const milliseconds by(below(100'000));
      machine.pass(by);
      if (random.below(20) == 0) machine.set(unset);
      if (random.below(20) == 0) machine.set(WallTime{today.ms + below(100'000'000'000)});
      if (random.below(10) == 0) machine.wall = machine.wall + milliseconds(below(60'000) - 30'000);
      const bool restarts = random.below(20) == 0;
      std::optional<WallGuard::Event> event;
      if (restarts) {
        const auto record = machine.guard.record();
        machine.guard = WallGuard();
        machine.elapsed = Instant{below(1'000'000)};
        event = machine.begin(record);
      } else {
        event = machine.read();
      }
      const WallTime now = machine.guard.now();
      REQUIRE(now >= last);
      if (!restarts && !(event && event->kind == Kind::believed)) {
        REQUIRE(now.ms - last.ms <= (by + limits::clock_jump).count());
      }
      last = now;
    }
  }
}

TEST_CASE("the clock itself: what happens is counted, and a record takes it over a restart") {
  ManualClock elapsed;
  ManualWallClock shown;
  const auto pass = [&](milliseconds by) {
    elapsed.advance(by);
    shown.advance(by);
  };
  set_log_level(LogLevel::off);
  GuardedWallClock clock(elapsed, shown);
  const WallTime start = clock.now();
  CHECK(start == shown.now());
  pass(seconds(1));
  CHECK(clock.now() == start + seconds(1));
  shown.advance(year);
  CHECK(clock.now() == start + seconds(1));
  CHECK(clock.stats().forward == 1);
  CHECK(clock.stats().doubts);
  shown.advance(-year - hours(2));
  CHECK(clock.now() == start + seconds(1));
  CHECK(clock.stats().back == 1);
  CHECK_FALSE(clock.stats().doubts);
  const WallGuard::Record record = clock.record();
  pass(seconds(9));
  GuardedWallClock next(elapsed, shown);
  CHECK(next.now() < start);
  next.resume(record);
  CHECK(next.now() == start + seconds(10));
  CHECK(next.stats().back == 0);
  CHECK_FALSE(next.stats().unset);
  shown.advance(-10 * year);
  CHECK(next.now() == start + seconds(10));
  CHECK(next.stats().unset);
  set_log_level(LogLevel::info);
}

TEST_CASE("times as people read them") {
  CHECK(to_string(WallTime{0}) == "1970-01-01T00:00:00.000Z");
  CHECK(to_string(WallTime{1'700'000'000'123}) == "2023-11-14T22:13:20.123Z");
  CHECK(to_string(WallTime{-1}) == "1969-12-31T23:59:59.999Z");
  CHECK(to_string(WallTime{253'402'300'799'999}) == "9999-12-31T23:59:59.999Z");
  CHECK(to_string(WallTime{INT64_MAX}) == "9223372036854775807 ms");
}

}  // namespace
}  // namespace gnomon
