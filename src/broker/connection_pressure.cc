// Connection: what it does while the server holds much (pressure.h), and while more of its
// PUBLISHes are open than one may have.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "broker/connection.h"
#include "broker/shard.h"

namespace gnomon::broker {

using mqtt::Reason;

namespace {

// What a PUBLISH costs: its bytes, for each of its receivers on this shard. At most the share of a
// second, or a large one could never be paid.
std::int64_t cost_of(const mqtt::Publish& publish, const Route& route) {
  constexpr std::size_t packet = 64;  // of each, whatever is in it
  const std::size_t bytes = publish.topic.size() + publish.payload.size() + packet;
  const std::size_t receivers = 1 + route.targets.size() + route.kept.size();
  return std::min(static_cast<std::int64_t>(bytes * receivers), limits::fair_bytes_per_second);
}

}  // namespace

std::size_t Connection::shard_receive_maximum() const {
  return shard_.profile_.mqtt.receive_maximum;
}

Connection::Pressed& Connection::pressed() {
  if (!pressed_) pressed_ = std::make_unique<Pressed>();
  return *pressed_;
}

// ---- acknowledgements that wait

// What others wait for goes before its own.
bool Connection::exceeds_share(const mqtt::Publish& publish, const Route& route) {
  Pressed& state = pressed();
  return !state.withheld.empty() ||
         !state.share.take(shard_.loop_.now(), limits::fair_bytes_per_second,
                           cost_of(publish, route));
}

bool Connection::refuse_overload(const mqtt::Publish& publish) {
  if (publish.qos == 0) {
    shard_.counters_.add(Count::dropped_overload);
    return true;
  }
  return refuse_publish(publish, Reason::quota_exceeded,
                        "the server holds too many messages: try again later",
                        Count::publish_refused_overload);
}

void Connection::withhold(Tickets::Number ticket, const mqtt::Publish& publish,
                          const Route& route) {
  Pressed& state = pressed();
  if (state.withheld.empty()) {
    shard_.withholding_.push_back(ref_);
    shard_.counters_.add(Count::publisher_withheld);
  }
  state.withheld.push_back({ticket, cost_of(publish, route)});
}

void Connection::relieve(Relief relief) {
  const Instant now = shard_.loop_.now();
  while (pressed_ && !pressed_->withheld.empty()) {
    const Pressed::Withheld next = pressed_->withheld.front();
    if (relief == Relief::share &&
        !pressed_->share.take(now, limits::fair_bytes_per_second, next.bytes)) {
      shard_.withholding_.push_back(ref_);
      return;
    }
    pressed_->withheld.pop_front();
    settle(next.ticket);
  }
}

// ---- a shard with much to do

// Others first: those that publish less than their share, and those that have waited longer.
void Connection::yield() {
  if (std::exchange(yielding_, true)) return;
  shard_.yielding_.push_back(ref_);
  shard_.counters_.add(Count::publisher_yielded);
}

void Connection::go_on() {
  yielding_ = false;
  if (state_ != State::established) return;
  process({});
  if (state_ == State::established && reads()) stream_->resume();
}

// ---- receivers that take nothing

bool Connection::stalls() {
  if (state_ != State::established || doomed_) return false;
  if (stream_->pending() <= limits::stalled_output_bytes && !session_.queue) {
    if (pressed_) pressed_->since = {};
    return false;
  }
  Pressed& state = pressed();
  const Instant now = shard_.loop_.now();
  const std::uint32_t progress = stream_->progress() + (session_.queue ? session_.queue->sent : 0);
  if (state.since == Instant{} || state.progress != progress) {
    state.progress = progress;
    state.since = now;
    return false;
  }
  if (now - state.since < limits::stalled_timeout) return false;
  doomed_ = true;
  return true;
}

// ---- PUBLISHes that wait

// A client of MQTT 5 may not send more than the receive maximum; one of 3.1.1 may. What it sends
// beyond is read, so that its acknowledgements and pings behind it are seen, up to a bound.
void Connection::hold(const mqtt::Publish& publish) {
  if (!held_) {
    held_ = std::make_unique<Held>();
    shard_.counters_.add(Count::publisher_held);
  }
  const std::size_t size = held_->publishes.emplace_back(publish).size();
  held_->bytes += size;
  shard_.queued_bytes_ += size;
  held_->full = held_->bytes > limits::held_publish_bytes;
}

void Connection::drop_held() {
  if (held_) shard_.queued_bytes_ -= held_->bytes;
  held_.reset();
}

void Connection::unhold() {
  if (!held_) return;
  held_->due = false;
  while (held_ && !must_hold()) {
    if (held_->publishes.empty()) {
      const bool was_full = held_->full;
      drop_held();
      if (was_full && reads()) stream_->resume();
      process({});
      return;
    }
    const OwnedPublish held = std::move(held_->publishes.front());
    held_->publishes.pop_front();
    if (!on_publish(held.packet())) return;
  }
  flush_answers();
}

// All of them now, whatever is open: what follows is the end. False: the connection has ended.
bool Connection::publish_held() {
  const auto all = std::move(held_->publishes);
  drop_held();
  for (const OwnedPublish& held : all) {
    if (!on_publish(held.packet())) return false;
  }
  return true;
}

}  // namespace gnomon::broker
