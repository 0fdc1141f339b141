#include "broker/outgoing.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"

namespace gnomon::broker {
namespace {

using Outcome = Outgoing::Outcome;

Outgoing::Ready ready(std::uint64_t sequence, std::uint8_t qos, std::uint32_t size = 10) {
  Outgoing::Ready made;
  made.sequence = sequence;
  made.qos = qos;
  made.size = size;
  return made;
}

// Stores, and sends if it may, as the keeper does for a connected session.
void add(Outgoing& out, std::uint8_t qos, std::uint32_t size = 10) {
  const std::uint64_t sequence = out.next();
  const bool hand_over = out.caught_up();
  out.stored(size);
  if (hand_over) out.push(ready(sequence, qos, size));
}

TEST_CASE("packet ids follow the sequence, go round and are never 0") {
  CHECK(Outgoing::packet_id(1) == 1);
  CHECK(Outgoing::packet_id(49'151) == 49'151);
  CHECK(Outgoing::packet_id(49'152) == 1);
  CHECK(Outgoing::packet_id(2 * 49'151) == 49'151);
  CHECK(Outgoing::packet_id(2 * 49'151 + 1) == 1);
}

TEST_CASE("an acknowledgement that never comes stops the queue before its packet id comes round") {
  ReadyBudget budget{UINT64_MAX};
  Outgoing out{budget};
  Outgoing::Gone gone;
  for (int i = 0; i < Outgoing::ids; ++i) {
    add(out, 1);
    REQUIRE(out.front(65'535, 0) != nullptr);
    out.pop(true);
    if (i > 0) REQUIRE(out.puback(Outgoing::packet_id(out.next() - 1), gone) == Outcome::done);
  }
  CHECK(out.flying() == 1);
  add(out, 1);  // its id would be 1, which is in flight
  CHECK(out.front(65'535, 0) == nullptr);
  CHECK(out.puback(1, gone) == Outcome::done);
  CHECK(gone.sequence == 1);
  REQUIRE(out.front(65'535, 0) != nullptr);
  out.pop(true);
  CHECK(out.puback(1, gone) == Outcome::done);
  CHECK(gone.sequence == 49'152);
  CHECK(out.count() == 0);
}

TEST_CASE("what is in flight is bounded in bytes, but one message always goes") {
  ReadyBudget budget{UINT64_MAX};
  Outgoing out{budget};
  constexpr auto huge = static_cast<std::uint32_t>(limits::flight_bytes_max + 1);
  add(out, 1, huge);
  add(out, 1, 1);
  REQUIRE(out.front(10, 0) != nullptr);
  out.pop(true);
  CHECK(out.front(10, 0) == nullptr);
  Outgoing::Gone gone;
  out.puback(1, gone);
  CHECK(out.front(10, 0) != nullptr);
}

TEST_CASE("an acknowledgement of the wrong kind changes nothing") {
  ReadyBudget budget{UINT64_MAX};
  Outgoing out{budget};
  Outgoing::Gone gone;
  CHECK(out.puback(1, gone) == Outcome::unknown);
  add(out, 1);
  add(out, 2);
  CHECK(out.puback(1, gone) == Outcome::unknown);  // not sent
  for (int i = 0; i < 2; ++i) {
    REQUIRE(out.front(10, 0) != nullptr);
    out.pop(true);
  }
  CHECK(out.puback(0, gone) == Outcome::unknown);
  CHECK(out.puback(3, gone) == Outcome::unknown);
  CHECK(out.pubrec(1, false, gone) == Outcome::unknown);
  CHECK(out.pubcomp(1, gone) == Outcome::unknown);
  CHECK(out.puback(2, gone) == Outcome::unknown);
  CHECK(out.pubcomp(2, gone) == Outcome::unknown);
  CHECK(out.pubrec(2, false, gone) == Outcome::released);
  CHECK(out.pubrec(2, false, gone) == Outcome::repeated);
  CHECK(out.pubrec(2, true, gone) == Outcome::unknown);
  CHECK(out.pubcomp(2, gone) == Outcome::done);
  CHECK(out.pubcomp(2, gone) == Outcome::unknown);
  CHECK(out.count() == 1);
}

TEST_CASE("a PUBREC that refuses ends the exchange") {
  ReadyBudget budget{UINT64_MAX};
  Outgoing out{budget};
  Outgoing::Gone gone;
  add(out, 2);
  REQUIRE(out.front(10, 0) != nullptr);
  out.pop(true);
  CHECK(out.pubrec(1, true, gone) == Outcome::done);
  CHECK(gone.sequence == 1);
  CHECK(out.flying() == 0);
}

// The queue against a plain list of what is stored and its states. It is driven as a keeper drives
// it: messages are stored, batches written and made durable, pages read, clients come and go and
// acknowledge in any order. `ahead`: new messages may overtake those that wait.
class Model {
 public:
  Model(std::uint64_t seed, bool ahead) : random_(seed), ahead_(ahead) {
    // Close to where ids come round.
    next_ = 1 + random_.below(3) * 49'151 + (49'116 + random_.below(60)) * random_.below(2);
    receive_maximum_ = static_cast<std::uint16_t>(1 + random_.below(20));
    huge_ = random_.below(6) == 0;
    if (next_ == 1) return;
    store(1);  // found at start
    out_.set_sent_to(next_ - random_.below(2));
    sent_to_ = out_.sent_to();
  }

  void run() {
    for (int i = 0; i < 600; ++i) {
      const auto what = random_.below(100);
      if (what < 26) {
        store();
      } else if (what < 40) {
        end_turn();
      } else if (what < 48) {
        durable_ = applied_;
      } else if (what < 60) {
        page();
      } else if (what < 85) {
        acknowledge();
      } else if (what < 88) {
        connected_ ? disconnect() : connect();
      } else {
        pump();
      }
      if (i % 4 == 0) compare();
    }
    drain();
  }

 private:
  enum class State : std::uint8_t { waiting, sent_qos1, sent_qos2, released };
  struct Entry {
    std::uint8_t qos;
    std::uint32_t size;
    std::uint64_t body;
    State state = State::waiting;  // as the client has it
    bool flying = false;           // on this connection
    bool released = false;         // in the store
    store::Sequence written = Outgoing::unwritten;
  };

  void store(std::uint8_t qos = 0) {
    Entry entry{qos != 0 ? qos : static_cast<std::uint8_t>(1 + random_.below(2)),
                0,
                random_.below(3),
                State::waiting,
                false,
                false,
                Outgoing::unwritten};
    entry.size = static_cast<std::uint32_t>(1 + random_.below(huge_ ? 3'000'000 : 100));
    const std::uint64_t sequence = next_++;
    const bool hand_over = connected_ && out_.caught_up();
    if (qos != 0) {  // found at start
      out_.found(sequence, entry.size);
      entry.written = 0;
    } else {
      REQUIRE(out_.next() == sequence);
      out_.stored(entry.size);
    }
    if (ahead_ && connected_ && qos == 0 && entry.qos == 1 && random_.below(3) > 0 &&
        out_.may_send_ahead(receive_maximum_, entry.size)) {
      out_.sent_ahead(sequence, entry.size, entry.body);
      entry.state = State::sent_qos1;
      entry.flying = true;
    } else if (hand_over && entry.qos == 1 && out_.may_send_now(receive_maximum_, entry.size)) {
      check_next(sequence);
      out_.sent_now(sequence, entry.size, entry.body);
      entry.state = State::sent_qos1;
      entry.flying = true;
    } else if (hand_over) {
      push(sequence, entry, false);
    }
    entries_.emplace(sequence, entry);
    note_sent();
  }
  void push(std::uint64_t sequence, const Entry& entry, bool from_page) {
    Outgoing::Ready made = ready(sequence, entry.qos, entry.size);
    made.body = entry.body;
    made.released = entry.released;
    made.dup = sequence < out_.sent_to();
    made.written = from_page ? applied_ : Outgoing::unwritten;
    if (!entry.released) made.message.append(std::string(entry.size, 'x'));
    out_.push(std::move(made));
  }
  void end_turn() {
    ++applied_;
    out_.written(applied_);
    for (auto& [sequence, entry] : entries_) {
      if (entry.written == Outgoing::unwritten) entry.written = applied_;
    }
  }
  // Read at one time, taken at another: what was in flight may be acknowledged by then.
  void page() {
    if (!connected_) return;
    if (read_to_ == 0) {
      if (!out_.wants_page()) return;
      end_turn();  // what is read has been applied
      read_to_ = out_.next();
      std::size_t most = 1 + random_.below(8);
      for (auto it = entries_.lower_bound(out_.loaded()); it != entries_.end(); ++it) {
        if (most-- == 0) {
          read_to_ = it->first;
          break;
        }
        if (it->second.flying && !ahead_) FAIL(it->first << " is read while it is in flight");
        read_.emplace_back(*it);
      }
      if (random_.below(2) == 0) return;
    }
    for (const auto& [sequence, entry] : read_) push(sequence, entry, true);
    out_.loaded_to(read_to_);
    read_.clear();
    read_to_ = 0;
  }

  // All before it are in flight, and itself is not.
  void check_next(std::uint64_t sequence) {
    for (const auto& [each, entry] : entries_) {
      if (each >= sequence) break;
      if (!entry.flying) FAIL(each << " is overtaken by " << sequence);
    }
  }
  void note_sent() {
    for (const auto& [sequence, entry] : entries_) {
      if (entry.flying) sent_to_ = std::max(sent_to_, sequence + 1);
    }
  }
  void pump() {
    if (!connected_) return;
    while (Outgoing::Ready* front = out_.front(receive_maximum_, durable_)) {
      const std::uint64_t sequence = front->sequence;
      Entry& entry = entries_.at(sequence);
      check_next(sequence);
      CHECK_FALSE(entry.flying);
      CHECK(front->qos == entry.qos);
      CHECK(front->released == entry.released);
      const bool was_sent = front->dup || entry.state == State::waiting;
      CHECK(was_sent);  // what the client may have is marked so
      const bool is_durable = entry.qos < 2 || entry.written <= durable_;
      CHECK(is_durable);
      if (!front->dup && random_.below(20) == 0) {  // it has expired
        const auto gone = out_.pop(false);
        CHECK(gone.sequence == sequence);
        CHECK(gone.body == entry.body);
        entries_.erase(sequence);
        continue;
      }
      CHECK(out_.pop(true).sequence == 0);
      entry.flying = true;
      entry.state = entry.released   ? State::released
                    : entry.qos == 2 ? State::sent_qos2
                                     : State::sent_qos1;
    }
    note_sent();
    check_live();
  }
  // If nothing is sent there is a reason that will pass.
  void check_live() {
    const auto next = std::find_if(entries_.begin(), entries_.end(),
                                   [](const auto& each) { return !each.second.flying; });
    if (next == entries_.end()) return;
    std::size_t bytes = 0;
    for (const auto& [sequence, entry] : entries_) bytes += entry.flying ? entry.size : 0;
    const Entry& entry = next->second;
    const bool no_room = flying() >= receive_maximum_ ||
                         (flying() > 0 && bytes + entry.size > limits::flight_bytes_max);
    const bool not_durable =
        entry.qos == 2 && (out_.waits_for(durable_) != 0 || entry.written == Outgoing::unwritten);
    const bool excused = no_room || not_durable || out_.wants_page() || read_to_ != 0;
    CHECK(excused);
  }

  void acknowledge() {
    if (entries_.empty() || !connected_) return;
    auto it = entries_.begin();
    std::advance(it, static_cast<long>(random_.below(std::min<std::size_t>(entries_.size(), 30))));
    auto& [sequence, entry] = *it;
    const std::uint16_t id = Outgoing::packet_id(sequence);
    Outgoing::Gone gone;
    if (!entry.flying) {
      CHECK(out_.puback(id, gone) == Outcome::unknown);
      return;
    }
    const bool failed = random_.below(10) == 0;
    Outcome outcome = Outcome::unknown, expected = Outcome::done;
    std::uint64_t body = entry.body;
    switch (entry.state) {
      case State::sent_qos1:
        CHECK(out_.pubrec(id, failed, gone) == Outcome::unknown);
        outcome = out_.puback(id, gone);
        break;
      case State::sent_qos2:
        CHECK(out_.pubcomp(id, gone) == Outcome::unknown);
        outcome = out_.pubrec(id, failed, gone);
        if (!failed) expected = Outcome::released;
        break;
      default:
        CHECK(out_.puback(id, gone) == Outcome::unknown);
        CHECK(out_.pubrec(id, false, gone) == Outcome::repeated);
        outcome = out_.pubcomp(id, gone);
        body = 0;
    }
    CHECK(outcome == expected);
    CHECK(gone.sequence == sequence);
    CHECK(gone.body == body);
    if (expected == Outcome::done) {
      entries_.erase(it);
    } else {
      entry.state = State::released;
      entry.released = true;
      entry.body = 0;
    }
  }

  void connect() { connected_ = true; }
  void disconnect() {
    end_turn();
    out_.disconnected();
    read_.clear();
    read_to_ = 0;
    connected_ = false;
    for (auto& [sequence, entry] : entries_) entry.flying = false;
  }
  [[nodiscard]] int flying() const {
    return static_cast<int>(std::count_if(entries_.begin(), entries_.end(),
                                          [](const auto& each) { return each.second.flying; }));
  }
  void compare() {
    std::uint64_t bytes = 0;
    std::map<std::uint16_t, int> ids;
    for (const auto& [sequence, entry] : entries_) {
      bytes += entry.size;
      if (sequence < out_.unsent() && connected_ && !entry.flying)
        FAIL(sequence << " is forgotten");
      if (!entry.flying) continue;
      if (++ids[Outgoing::packet_id(sequence)] > 1) FAIL(sequence << " has an id in flight");
    }
    CHECK(out_.count() == entries_.size());
    CHECK(out_.bytes() == bytes);
    CHECK(out_.flying() == flying());
    CHECK(flying() <= receive_maximum_);
    CHECK(out_.next() == next_);
    CHECK(out_.sent_to() == sent_to_);
    // A page from the remembered head finds all that is not in memory.
    if (!connected_ && !entries_.empty()) CHECK(out_.loaded() <= entries_.begin()->first);
  }
  void drain() {
    if (connected_) disconnect();
    connect();
    for (int i = 0; i < 100'000 && !entries_.empty(); ++i) {
      end_turn();
      durable_ = applied_;
      page();
      pump();
      acknowledge();
    }
    CHECK(entries_.empty());
    compare();
  }

  SeededRandom random_;
  ReadyBudget budget_{UINT64_MAX};
  Outgoing out_{budget_};
  std::map<std::uint64_t, Entry> entries_;
  std::uint64_t next_ = 1, sent_to_ = 1;
  std::uint16_t receive_maximum_;
  store::Sequence applied_ = 1, durable_ = 1;
  bool connected_ = false, huge_;
  const bool ahead_;
  std::vector<std::pair<std::uint64_t, Entry>> read_;  // a page on its way, up to read_to_; 0: none
  std::uint64_t read_to_ = 0;
};

TEST_CASE("model: order, windows, ids and pages, with acknowledgements in any order") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Model(seed, seed % 2 == 0).run();
  }
}

// What it holds of a keeper's memory, for as long as it holds it.
TEST_CASE("short of memory, queues read ahead less") {
  constexpr std::size_t message = 64 * KiB;
  ReadyBudget budget{4 * MiB};
  std::vector<std::unique_ptr<Outgoing>> queues;
  const auto fill = [&] {
    Outgoing& out = *queues.emplace_back(std::make_unique<Outgoing>(budget));
    std::size_t held = 0;
    for (std::uint64_t sequence = 1; out.caught_up(); ++sequence) {
      out.stored(message);
      Outgoing::Ready ready;
      ready.sequence = sequence;
      ready.message.append(std::string(message, 'x'));
      out.push(std::move(ready));
      held += message;
    }
    return held;
  };
  CHECK(fill() == limits::ready_bytes_max);
  CHECK(budget.page() == limits::page_bytes);
  while (budget.bytes() < 2 * MiB) fill();
  CHECK(fill() == limits::ready_bytes_max / 8);
  while (budget.bytes() < 4 * MiB) fill();
  CHECK(fill() == message);  // one, so that it gets on
  CHECK(budget.page() == limits::ready_bytes_min / 4);
  for (auto& out : queues) out->disconnected();
  CHECK(budget.bytes() == 0);
  CHECK(fill() == limits::ready_bytes_max);
  queues.clear();
  CHECK(budget.bytes() == 0);
}

}  // namespace
}  // namespace gnomon::broker
