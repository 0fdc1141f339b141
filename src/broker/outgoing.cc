#include "broker/outgoing.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/limits.h"

namespace gnomon::broker {

void Outgoing::found(std::uint64_t sequence, std::size_t size) {
  if (count_ == 0 && flight_.empty() && ready_.empty() && loaded_ == next_) {
    loaded_ = sequence;  // an empty queue: its head is here
  }
  next_ = sequence + 1;
  ++count_;
  bytes_ += size;
}

void Outgoing::erased(std::uint32_t size) {
  --count_;
  bytes_ -= std::min<std::uint64_t>(bytes_, size);
}

// ---- loading

bool Outgoing::caught_up() const { return loaded_ == next_ && ready_bytes_.has_room(); }

bool Outgoing::wants_page() const { return loaded_ < next_ && ready_bytes_.is_half_empty(); }

void Outgoing::push(Ready ready) {
  if (ready.sequence < loaded_ || ahead_.contains(ready.sequence)) return;
  loaded_ = ahead_.pass(ready.sequence + 1);
  ready_bytes_.add(ready.message.size() + sizeof ready);
  ready_.push_back(std::move(ready));
}

void Outgoing::loaded_to(std::uint64_t sequence) {
  loaded_ = ahead_.pass(std::max(loaded_, sequence));
}

// ---- sending

bool Outgoing::has_room(std::uint16_t receive_maximum, std::uint64_t sequence,
                        std::uint32_t size) const {
  if (in_flight_ >= receive_maximum) return false;
  // One acknowledgement that never comes must not make packet ids collide.
  if (!flight_.empty() &&
      std::max(sequence, flight_.back().sequence) - std::min(sequence, flight_.front().sequence) >=
          ids) {
    return false;
  }
  return in_flight_ == 0 || flight_bytes_ + size <= limits::flight_bytes_max;
}

Outgoing::Ready* Outgoing::front(std::uint16_t receive_maximum, store::Sequence durable) {
  if (ready_.empty()) return nullptr;
  Ready& ready = ready_.front();
  if (!has_room(receive_maximum, ready.sequence, ready.size)) return nullptr;
  return ready.qos == 2 && ready.written > durable ? nullptr : &ready;
}

store::Sequence Outgoing::waits_for(store::Sequence durable) const {
  if (ready_.empty() || ready_.front().qos < 2) return 0;
  const store::Sequence written = ready_.front().written;
  return written == unwritten || written <= durable ? 0 : written;
}

bool Outgoing::may_send_now(std::uint16_t receive_maximum, std::uint32_t size) const {
  return ready_.empty() && has_room(receive_maximum, next_ - 1, size);
}

void Outgoing::sent_now(std::uint64_t sequence, std::uint32_t size, std::uint64_t body) {
  loaded_ = sequence + 1;
  in_flight({sequence, body, size, State::sent_qos1});
}

void Outgoing::sent_ahead(std::uint64_t sequence, std::uint32_t size, std::uint64_t body) {
  if (sequence == loaded_) {
    ++loaded_;
  } else {
    ahead_.add(sequence);
  }
  in_flight({sequence, body, size, State::sent_qos1});
}

void Outgoing::in_flight(const InFlight& entry) {
  auto at = flight_.end();
  while (at != flight_.begin() && std::prev(at)->sequence > entry.sequence) --at;
  flight_.insert(at, entry);
  flight_bytes_ += entry.size;
  ++in_flight_;
  sent_to_ = std::max(sent_to_, entry.sequence + 1);
}

Outgoing::Gone Outgoing::pop(bool sent) {
  const Ready ready = std::move(ready_.front());
  ready_.pop_front();
  ready_bytes_.take(ready.message.size() + sizeof ready);
  if (!sent) {
    erased(ready.size);
    return {ready.sequence, ready.body};
  }
  const State state = ready.released   ? State::released
                      : ready.qos == 2 ? State::sent_qos2
                                       : State::sent_qos1;
  in_flight({ready.sequence, ready.body, ready.size, state});
  return {};
}

bool Outgoing::written(store::Sequence sequence) {
  bool any = false;
  for (auto it = ready_.rbegin(); it != ready_.rend() && it->written == unwritten; ++it) {
    it->written = sequence;
    any = true;
  }
  return any;
}

// ---- acknowledgements

Outgoing::InFlight* Outgoing::find(std::uint16_t id) {
  if (flight_.empty() || id == 0 || id > ids) return nullptr;
  const std::uint64_t first = flight_.front().sequence;
  const std::uint64_t sequence = first + (std::uint64_t{ids} + id - packet_id(first)) % ids;
  const auto it = std::lower_bound(
      flight_.begin(), flight_.end(), sequence,
      [](const InFlight& entry, std::uint64_t wanted) { return entry.sequence < wanted; });
  return it != flight_.end() && it->sequence == sequence && it->state != State::done ? &*it
                                                                                     : nullptr;
}

void Outgoing::finish(InFlight& entry, Gone& gone) {
  gone = {entry.sequence, entry.body};
  entry.state = State::done;
  flight_bytes_ -= entry.size;
  --in_flight_;
  erased(entry.size);
  while (!flight_.empty() && flight_.front().state == State::done) flight_.pop_front();
}

Outgoing::Outcome Outgoing::puback(std::uint16_t id, Gone& gone) {
  InFlight* entry = find(id);
  if (entry == nullptr || entry->state != State::sent_qos1) return Outcome::unknown;
  finish(*entry, gone);
  return Outcome::done;
}

Outgoing::Outcome Outgoing::pubrec(std::uint16_t id, bool failed, Gone& gone) {
  InFlight* entry = find(id);
  if (entry == nullptr || entry->state == State::sent_qos1) return Outcome::unknown;
  if (entry->state == State::released) return failed ? Outcome::unknown : Outcome::repeated;
  if (failed) {
    finish(*entry, gone);
    return Outcome::done;
  }
  gone = {entry->sequence, entry->body};
  entry->state = State::released;
  entry->body = 0;
  return Outcome::released;
}

Outgoing::Outcome Outgoing::pubcomp(std::uint16_t id, Gone& gone) {
  InFlight* entry = find(id);
  if (entry == nullptr || entry->state != State::released) return Outcome::unknown;
  finish(*entry, gone);
  return Outcome::done;
}

void Outgoing::disconnected() {
  if (!flight_.empty()) loaded_ = std::min(loaded_, flight_.front().sequence);
  if (!ready_.empty()) loaded_ = std::min(loaded_, ready_.front().sequence);
  ahead_.clear();
  flight_ = std::deque<InFlight>();
  ready_ = std::deque<Ready>();
  flight_bytes_ = 0;
  ready_bytes_.clear();
  in_flight_ = 0;
}

}  // namespace gnomon::broker
