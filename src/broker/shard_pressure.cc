// Shard: how much is held, and what follows from it (pressure.h).
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "broker/shard.h"

namespace gnomon::broker {

namespace {
constexpr std::chrono::milliseconds tick{10};
constexpr std::chrono::seconds stalls_period{1};
}  // namespace

void Shard::look_at_pressure() {
  const std::uint64_t own = loop_.unsent() + queued_bytes_;
  held_.store(own, std::memory_order_relaxed);
  std::uint64_t all = 0;
  for (const auto* held : held_by_) all += held->load(std::memory_order_relaxed);
  const Pressure now = watermarks_.look(own, all, pressure_);
  if (now != pressure_) [[unlikely]]
    enter(now);
}

// ---- turns with much to do

// What another shard has sent counts by itself, so that neither side starves the other. The rest
// waits for the next turn, in its order.
void Shard::take_mail() {
  const std::size_t before = std::exchange(work_, 0);
  if (mail_at_ == mail_.size()) {
    mail_.clear();
    mail_at_ = 0;
    mailbox_.take(mail_);
  }
  while (mail_at_ < mail_.size() && work_ <= limits::work_per_turn) handle(mail_[mail_at_++]);
  const Instant now = loop_.now();
  if (work_ > limits::work_per_turn || before > limits::work_per_turn) {
    busy_until_ = now + limits::busy_time;
  }
  busy_ = now < busy_until_;
  lane_late_ = false;
  if (busy_) {
    for (const auto& outbox : outboxes_) lane_late_ |= outbox && outbox->late(now);
  }
  work_ = 0;
}

// Those that have yielded, the longest waiting first, as far as this turn reaches.
void Shard::let_go_on() {
  for (std::size_t left = yielding_.size(); left > 0 && !is_full(); --left) {
    const ConnectionRef ref = yielding_.front();
    yielding_.pop_front();
    if (Connection* connection = find(ref)) connection->go_on();
  }
}

void Shard::enter(Pressure pressure) {
  const Pressure before = std::exchange(pressure_, pressure);
  qos0_output_max_ =
      pressure == Pressure::none ? limits::output_bytes_max : limits::pressed_output_bytes;
  if (pressure > before) {
    counters_.add(pressure == Pressure::slow ? Count::pressure_slow : Count::pressure_refuse);
  }
  if ((pressure == Pressure::refuse || before == Pressure::refuse) &&
      log_limiter_.allow(loop_.now())) {
    log_warn("overload",
             {{"shard", std::to_string(id_)},
              {"held_bytes", std::to_string(held_.load(std::memory_order_relaxed))},
              {"then", pressure == Pressure::refuse ? "what fast publishers send is refused"
                                                    : "publishers only wait"}});
  }
  if (pressure == Pressure::none) {
    for (const ConnectionRef& ref : std::exchange(withholding_, {})) {
      if (Connection* connection = find(ref)) connection->relieve(Connection::Relief::all);
    }
  } else if (!relief_.armed()) {
    loop_.timers().arm(relief_, loop_.now() + tick);
  }
}

// While there is pressure the shard turns by itself, because others may ease it.
void Shard::relieve() {
  if (pressure_ == Pressure::none) return;
  const Instant now = loop_.now();
  loop_.timers().arm(relief_, now + tick);
  for (const ConnectionRef& ref : std::exchange(withholding_, {})) {
    if (Connection* connection = find(ref)) connection->relieve(Connection::Relief::share);
  }
  if (now - stalls_looked_at_ < stalls_period) return;
  stalls_looked_at_ = now;
  for (const Place& place : places_) {
    if (place.connection && place.connection->stalls()) doom(place.connection->ref());
  }
}

}  // namespace gnomon::broker
