// The wall clock as deadlines need it: it never goes back, whatever is done to the machine's clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/guarded.h"
#include "base/log.h"

namespace gnomon {

// WallGuard: makes of what the machine's wall clock shows, and of a clock that cannot be set, the
// time by which stored deadlines are judged. Pure. `docs/decisions/0012-two-clocks.md` has the why.
//   - It never goes back, over restarts neither: the record of an earlier run, which must not be
//     older than limits::clock_record_period when that ends, is its floor.
//   - While the two clocks agree it is what the wall clock shows.
//   - Set back: it goes on by the other clock, from then on ahead of the wall clock.
//   - Set forward: it goes on by the other clock for a while, in which the wall clock may be
//     corrected, and then takes its word. So a jump alone makes nothing due at once.
//   - A wall clock that shows a time which cannot be is not looked at until it is set; that setting
//     says nothing of how much time has passed, so none is counted for it.
// Durations between its readings are therefore right; its distance from the true date may not be.
// For deadlines, not to be shown. A value; not thread-safe.
class WallGuard {
 public:
  // What is kept of it for the next run.
  struct Record {
    WallTime now{};        // the highest time that was given out
    WallTime shown{};      // what the wall clock shows at that time, unless it jumps; 0: unknown
    bool doubted = false;  // a jump forward was in doubt
    bool operator==(const Record&) const = default;
  };
  struct Event {
    enum class Kind : std::uint8_t {
      unset,      // the wall clock shows a time that cannot be
      set,        // it was set for the first time in this run
      back,       // it was set back
      forward,    // it was set forward; not believed yet
      corrected,  // what was not believed was taken back
      believed,   // what was not believed holds from now on
    };
    Kind kind;
    WallTime from, to;  // the time expected of the wall clock, and what it shows
    bool operator==(const Event&) const = default;
  };

  // Begins, with what an earlier run has left, if there was one. `elapsed` is of a clock that only
  // goes forward, also while the machine sleeps.
  std::optional<Event> begin(const std::optional<Record>& record, WallTime shown, Instant elapsed);
  // Goes on; often enough (every minute) for the two clocks not to drift apart meanwhile.
  std::optional<Event> read(WallTime shown, Instant elapsed);

  // As of the last begin() or read().
  [[nodiscard]] WallTime now() const { return now_; }
  [[nodiscard]] Record record() const;
  [[nodiscard]] bool doubts() const { return doubt_.has_value(); }
  [[nodiscard]] bool unset() const { return !usable_; }

 private:
  using Milliseconds = std::chrono::milliseconds;
  struct Doubt {
    Milliseconds jump;  // by how much
    Instant until;
  };
  [[nodiscard]] Event event(Event::Kind kind, WallTime expected, WallTime shown) const;
  std::optional<Event> follow(WallTime to, WallTime expected, WallTime shown, Instant elapsed);
  std::optional<Event> set_back(WallTime expected, WallTime shown);
  std::optional<Event> set_forward(Milliseconds by, WallTime expected, WallTime shown,
                                   Instant elapsed);

  WallTime now_{};
  // now_ = what the wall clock shows + offset_, while they agree. Nothing: it has not been set.
  std::optional<Milliseconds> offset_;
  WallTime anchor_{};  // the last time they agreed, or the begin; and the other clock then
  Instant anchored_{};
  bool usable_ = false;  // the last reading of the wall clock
  std::optional<Doubt> doubt_;
};

// GuardedWallClock: the machine's wall clock behind a WallGuard; what happens is logged and
// counted. Owner: who makes the real clocks. Threads: any.
class GuardedWallClock final : public WallClock {
 public:
  // Both outlive it. `elapsed`: see WallGuard.
  GuardedWallClock(const MonotonicClock& elapsed, const WallClock& shown);
  [[nodiscard]] WallTime now() const override;
  // Begins anew with what an earlier run has left. Before anything has taken a time from it that
  // is to last.
  void resume(const std::optional<WallGuard::Record>& record);
  [[nodiscard]] WallGuard::Record record() const;  // as of now

  struct Stats {
    std::uint64_t forward = 0, back = 0;  // jumps
    bool doubts = false;                  // a jump forward is not believed yet
    bool unset = false;                   // it shows a time that cannot be
  };
  [[nodiscard]] Stats stats() const;

 private:
  struct State {
    WallGuard guard;
    Stats stats;
    LogLimiter limiter;
  };
  void read(State& state) const;
  static void tell(State& state, const std::optional<WallGuard::Event>& event, Instant elapsed);

  const MonotonicClock& elapsed_;
  const WallClock& shown_;
  mutable Guarded<State> state_;
};

}  // namespace gnomon
