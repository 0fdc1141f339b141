#include "base/wall_guard.h"

#include <algorithm>

#include "base/limits.h"

namespace gnomon {

namespace {

using std::chrono::milliseconds;
using Kind = WallGuard::Event::Kind;

bool is_possible(WallTime shown) {
  return shown >= limits::wall_time_least && shown <= limits::wall_time_most;
}
milliseconds between(WallTime from, WallTime to) { return milliseconds(to.ms - from.ms); }
bool close(milliseconds difference) {
  return difference <= limits::clock_jump && difference >= -limits::clock_jump;
}

}  // namespace

WallGuard::Event WallGuard::event(Event::Kind kind, WallTime expected, WallTime shown) const {
  return {kind, expected + -offset_.value_or(milliseconds(0)), shown};
}

std::optional<WallGuard::Event> WallGuard::begin(const std::optional<Record>& record,
                                                 WallTime shown, Instant elapsed) {
  *this = WallGuard();
  usable_ = is_possible(shown);
  anchored_ = elapsed;
  if (!record) {
    now_ = anchor_ = usable_ ? shown : limits::wall_time_least;
    if (!usable_) return event(Kind::unset, now_, shown);
    offset_ = milliseconds(0);
    return {};
  }
  const milliseconds down = between(record->shown, shown);
  const milliseconds most = record->doubted ? limits::clock_jump : limits::down_most;
  if (usable_ && record->shown.ms != 0) {
    offset_ = between(record->shown, record->now);
    if (down >= milliseconds(0) && down <= most)
      return follow(shown + *offset_, shown, shown, elapsed);
  }
  // How long it was down is not known: on from the highest time that the last run can have come to.
  now_ = anchor_ = record->now + limits::clock_record_period;
  if (!usable_) return event(Kind::unset, now_, shown);
  if (!offset_) {
    offset_ = between(shown, now_);
    return Event{Kind::set, record->shown, shown};
  }
  if (close(down)) return {};
  if (down < milliseconds(0)) return set_back(now_, shown);
  return set_forward(down, now_, shown, elapsed);
}

std::optional<WallGuard::Event> WallGuard::read(WallTime shown, Instant elapsed) {
  const WallTime expected =
      anchor_ + std::chrono::floor<milliseconds>(elapsed - anchored_);  // by the other clock
  const bool was_usable = usable_;
  usable_ = is_possible(shown);
  if (!usable_ || !offset_) {
    now_ = std::max(now_, expected);
    if (!usable_)
      return was_usable ? std::optional(event(Kind::unset, expected, shown)) : std::nullopt;
    const Event set = event(Kind::set, expected, shown);
    offset_ = between(shown, now_);
    return set;
  }
  if (offset_ != milliseconds(0) && close(between(expected, shown))) {
    offset_ = milliseconds(0);  // it had been set, and is right again
  }
  const WallTime by_wall = shown + *offset_;
  const milliseconds jump = between(expected, by_wall);
  if (close(jump)) return follow(by_wall, expected, shown, elapsed);
  now_ = std::max(now_, expected);
  if (jump < milliseconds(0)) return set_back(expected, shown);
  return set_forward(jump, expected, shown, elapsed);
}

std::optional<WallGuard::Event> WallGuard::follow(WallTime to, WallTime expected, WallTime shown,
                                                  Instant elapsed) {
  now_ = anchor_ = std::max(now_, to);
  anchored_ = elapsed;
  if (!doubt_) return {};
  doubt_.reset();
  return event(Kind::corrected, expected, shown);
}

std::optional<WallGuard::Event> WallGuard::set_back(WallTime expected, WallTime shown) {
  const Event back = event(Kind::back, expected, shown);
  offset_ = between(shown, now_);
  doubt_.reset();
  return back;
}

std::optional<WallGuard::Event> WallGuard::set_forward(milliseconds by, WallTime expected,
                                                       WallTime shown, Instant elapsed) {
  if (!doubt_ || !close(by - doubt_->jump)) {
    doubt_ = Doubt{by, elapsed + limits::clock_hold};
    return event(Kind::forward, expected, shown);
  }
  if (elapsed < doubt_->until) return {};
  doubt_.reset();
  follow(shown + *offset_, expected, shown, elapsed);
  return event(Kind::believed, expected, shown);
}

WallGuard::Record WallGuard::record() const {
  return {now_, offset_ ? now_ + -*offset_ : WallTime{}, doubts()};
}

// ---- GuardedWallClock

GuardedWallClock::GuardedWallClock(const MonotonicClock& elapsed, const WallClock& shown)
    : elapsed_(elapsed), shown_(shown), state_(State{{}, {}, LogLimiter(10)}) {
  // Nothing is told yet: resume() looks at the same clock, and knows what an earlier run has seen.
  state_.with([this](State& state) { state.guard.begin({}, shown_.now(), elapsed_.now()); });
}

void GuardedWallClock::read(State& state) const {
  const Instant elapsed = elapsed_.now();
  tell(state, state.guard.read(shown_.now(), elapsed), elapsed);
}

WallTime GuardedWallClock::now() const {
  return state_.with([this](State& state) {
    read(state);
    return state.guard.now();
  });
}

void GuardedWallClock::resume(const std::optional<WallGuard::Record>& record) {
  state_.with([&](State& state) {
    const Instant elapsed = elapsed_.now();
    tell(state, state.guard.begin(record, shown_.now(), elapsed), elapsed);
  });
}

WallGuard::Record GuardedWallClock::record() const {
  return state_.with([this](State& state) {
    read(state);
    return state.guard.record();
  });
}

GuardedWallClock::Stats GuardedWallClock::stats() const {
  return state_.with([](State& state) {
    state.stats.doubts = state.guard.doubts();
    state.stats.unset = state.guard.unset();
    return state.stats;
  });
}

// What happens to a clock is rare, unless something is wrong with it for good.
void GuardedWallClock::tell(State& state, const std::optional<WallGuard::Event>& event,
                            Instant elapsed) {
  if (!event) return;
  state.stats.forward += event->kind == Kind::forward ? 1 : 0;
  state.stats.back += event->kind == Kind::back ? 1 : 0;
  if (!state.limiter.allow(elapsed)) return;
  const std::string from = to_string(event->from), to = to_string(event->to);
  switch (event->kind) {
    case Kind::unset:
      return log_warn("clock_unset",
                      {{"shows", to},
                       {"then", "time goes on without it, from " + to_string(state.guard.now())}});
    case Kind::set:
      return log_info("clock_set", {{"to", to}});
    case Kind::back:
      return log_warn(
          "clock_jump",
          {{"from", from}, {"to", to}, {"then", "deadlines go on as if it had not been set back"}});
    case Kind::forward:
      return log_warn(
          "clock_jump",
          {{"from", from},
           {"to", to},
           {"held", "what the jump makes due: sessions, wills and messages that expire"},
           {"for_s", std::int64_t{limits::clock_hold / std::chrono::seconds(1)}},
           {"remedy", "if the new time is wrong, set the clock right before that"}});
    case Kind::corrected:
      return log_info("clock_corrected", {{"to", to}});
    case Kind::believed:
      return log_warn("clock_believed", {{"from", from}, {"to", to}});
  }
}

}  // namespace gnomon
