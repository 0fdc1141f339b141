#include "mqtt/window.h"

#include <map>
#include <set>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::mqtt {
namespace {

using Outcome = SendWindow::Outcome;

// The same as SendWindow, written to be obvious.
class NaiveWindow {
 public:
  bool full(int maximum) const {
    return static_cast<int>(in_flight_.size()) >= maximum || span() >= SendWindow::span_max;
  }
  int span() const {
    return in_flight_.empty() ? 0 : static_cast<int>(next_ - in_flight_.begin()->first);
  }
  std::uint16_t take(int qos) {
    in_flight_[next_] = qos == 1 ? 'p' : 'r';
    return id(next_++);
  }
  Outcome puback(std::uint16_t packet_id) { return end(packet_id, 'p'); }
  Outcome pubrec(std::uint16_t packet_id, bool failed) {
    const auto at = find(packet_id);
    if (at == in_flight_.end() || at->second == 'p') return Outcome::unknown;
    if (failed) return end(packet_id, 'r');
    at->second = 'c';
    return Outcome::release;
  }
  Outcome pubcomp(std::uint16_t packet_id) { return end(packet_id, 'c'); }
  int count() const { return static_cast<int>(in_flight_.size()); }
  // An id in flight, or one that is not.
  std::uint16_t pick(Random& random) const {
    if (in_flight_.empty() || random.below(8) == 0)
      return static_cast<std::uint16_t>(random.below(65536));
    // Mostly the oldest, so that the window moves on.
    auto at = in_flight_.begin();
    if (random.below(2) == 0) std::advance(at, random.below(std::min<std::size_t>(count_, 40)));
    return id(at->first);
  }
  void remember_count() { count_ = in_flight_.size(); }

 private:
  static std::uint16_t id(std::uint64_t number) {
    return static_cast<std::uint16_t>(number % 65535 + 1);
  }
  std::map<std::uint64_t, char>::iterator find(std::uint16_t packet_id) {
    // At most 65,535 numbers lie between the oldest and the next: only one can have this id.
    const std::uint64_t first = in_flight_.empty() ? next_ : in_flight_.begin()->first;
    const std::uint64_t wanted = (packet_id + 65534ull) % 65535;  // number % 65535
    const std::uint64_t number = first + (wanted + 65535 - first % 65535) % 65535;
    return packet_id == 0 ? in_flight_.end() : in_flight_.find(number);
  }
  Outcome end(std::uint16_t packet_id, char state) {
    const auto at = find(packet_id);
    if (at == in_flight_.end() || at->second != state) return Outcome::unknown;
    in_flight_.erase(at);
    return Outcome::done;
  }

  std::map<std::uint64_t, char> in_flight_;  // p: PUBACK awaited, r: PUBREC, c: PUBCOMP
  std::uint64_t next_ = 0;
  std::size_t count_ = 0;
};

void compare(std::uint64_t seed, int maximum, std::uint64_t hold_back, int steps) {
  SeededRandom random(seed);
  SendWindow window;
  NaiveWindow model;
  for (int step = 0; step < steps; ++step) {
    REQUIRE(window.full(static_cast<std::uint16_t>(maximum)) == model.full(maximum));
    REQUIRE(window.count() == model.count());
    model.remember_count();
    if (!model.full(maximum) && random.below(hold_back) != 0) {
      const auto qos = static_cast<std::uint8_t>(1 + random.below(2));
      REQUIRE(window.take(qos) == model.take(qos));
      continue;
    }
    const std::uint16_t id = model.pick(random);
    switch (random.below(4)) {
      case 0:
        REQUIRE(window.puback(id) == model.puback(id));
        break;
      case 1:
        REQUIRE(window.pubcomp(id) == model.pubcomp(id));
        break;
      default: {
        const bool failed = random.below(4) == 0;
        REQUIRE(window.pubrec(id, failed) == model.pubrec(id, failed));
      }
    }
  }
}

TEST_CASE("SendWindow does what the naive window does, whatever order acknowledgements come in") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) compare(seed, 5, 2, 20'000);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) compare(seed, 200, 3, 20'000);
  compare(7, 65535, 2, 200'000);
}

TEST_CASE("SendWindow gives ids in turn and goes round after 65,535") {
  SendWindow window;
  for (int round = 0; round < 3; ++round) {
    for (int id = 1; id <= 65535; ++id) {
      REQUIRE(window.take(1) == id);
      REQUIRE(window.puback(static_cast<std::uint16_t>(id)) == Outcome::done);
    }
  }
  CHECK(window.count() == 0);
}

TEST_CASE("SendWindow holds every id at once, and then is full") {
  SendWindow window;
  for (int id = 1; id <= 65535; ++id) {
    REQUIRE_FALSE(window.full(65535));
    REQUIRE(window.take(2) == id);
  }
  CHECK(window.full(65535));
  CHECK(window.pubrec(1, false) == Outcome::release);
  CHECK(window.full(65535));
  CHECK(window.pubcomp(1) == Outcome::done);
  CHECK_FALSE(window.full(65535));
  CHECK(window.take(1) == 1);
  CHECK(window.full(65535));
}

TEST_CASE("an acknowledgement that never comes stops the window before ids collide") {
  SendWindow window;
  REQUIRE(window.take(1) == 1);
  int taken = 1;
  while (!window.full(10)) {
    const std::uint16_t id = window.take(1);
    ++taken;
    REQUIRE(id != 1);
    REQUIRE(window.puback(id) == Outcome::done);
  }
  CHECK(taken == SendWindow::span_max);
  CHECK(window.count() == 1);
  CHECK(window.puback(1) == Outcome::done);
  CHECK_FALSE(window.full(10));
  CHECK(window.take(1) == 1);
}

TEST_CASE("SendWindow refuses what does not fit the state of an id") {
  SendWindow window;
  const std::uint16_t one = window.take(1);
  const std::uint16_t two = window.take(2);
  CHECK(window.puback(0) == Outcome::unknown);
  CHECK(window.puback(9) == Outcome::unknown);
  CHECK(window.pubrec(one, false) == Outcome::unknown);
  CHECK(window.pubcomp(two) == Outcome::unknown);
  CHECK(window.puback(two) == Outcome::unknown);
  CHECK(window.pubrec(two, false) == Outcome::release);
  CHECK(window.pubrec(two, false) == Outcome::release);  // sent again: PUBREL again
  CHECK(window.pubrec(two, true) == Outcome::unknown);
  CHECK(window.pubcomp(two) == Outcome::done);
  CHECK(window.pubcomp(two) == Outcome::unknown);
  CHECK(window.puback(one) == Outcome::done);
  CHECK(window.puback(one) == Outcome::unknown);
}

TEST_CASE("ReceivedIds is a set") {
  SeededRandom random(3);
  ReceivedIds ids;
  std::set<std::uint16_t> model;
  for (int step = 0; step < 100'000; ++step) {
    const auto id = static_cast<std::uint16_t>(1 + random.below(300));
    if (random.below(2) == 0)
      REQUIRE(ids.insert(id) == model.insert(id).second);
    else
      REQUIRE(ids.erase(id) == (model.erase(id) == 1));
    REQUIRE(ids.size() == model.size());
  }
}

}  // namespace
}  // namespace gnomon::mqtt
