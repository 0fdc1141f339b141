#include "mqtt/window.h"

#include <algorithm>
#include <cassert>

namespace gnomon::mqtt {
namespace {

// The id `steps` after `id`; ids go from 1 to 65,535 and round again.
std::uint16_t advance(std::uint16_t id, std::uint32_t steps) {
  const std::uint32_t sum = id + steps;
  return static_cast<std::uint16_t>(sum > 65'535 ? sum - 65'535 : sum);
}

}  // namespace

bool SendWindow::full(std::uint16_t maximum) const {
  return count_ >= maximum || span_ >= static_cast<std::uint32_t>(span_max);
}

std::uint16_t SendWindow::take(std::uint8_t qos) {
  assert(span_ < static_cast<std::uint32_t>(span_max) && (qos == 1 || qos == 2));
  if (span_ == capacity_) grow();
  ring()[(head_ + span_) & (capacity_ - 1)] = qos == 1 ? State::sent_qos1 : State::sent_qos2;
  const std::uint16_t id = advance(first_id_, span_);
  ++span_;
  ++count_;
  return id;
}

SendWindow::Outcome SendWindow::puback(std::uint16_t id) {
  State* state = find(id);
  if (state == nullptr || *state != State::sent_qos1) return Outcome::unknown;
  return finish(*state);
}

SendWindow::Outcome SendWindow::pubrec(std::uint16_t id, bool failed) {
  State* state = find(id);
  if (state == nullptr) return Outcome::unknown;
  if (*state == State::sent_qos2) {
    if (failed) return finish(*state);
    *state = State::released;
    return Outcome::release;
  }
  return *state == State::released && !failed ? Outcome::release : Outcome::unknown;
}

SendWindow::Outcome SendWindow::pubcomp(std::uint16_t id) {
  State* state = find(id);
  if (state == nullptr || *state != State::released) return Outcome::unknown;
  return finish(*state);
}

SendWindow::State* SendWindow::find(std::uint16_t id) {
  if (id == 0) return nullptr;
  const std::uint32_t offset =
      id >= first_id_ ? std::uint32_t{id} - first_id_ : std::uint32_t{id} + 65'535 - first_id_;
  return offset < span_ ? &ring()[(head_ + offset) & (capacity_ - 1)] : nullptr;
}

SendWindow::Outcome SendWindow::finish(State& state) {
  state = State::free;
  --count_;
  const State* const states = ring();
  while (span_ > 0 && states[head_] == State::free) {
    head_ = (head_ + 1) & (capacity_ - 1);
    --span_;
    first_id_ = advance(first_id_, 1);
  }
  if (span_ == 0 && ring_) {
    ring_.reset();
    capacity_ = small_capacity;
    head_ = 0;
  }
  return Outcome::done;
}

void SendWindow::grow() {
  auto larger = std::make_unique<State[]>(std::size_t{capacity_} * 2);
  const State* const states = ring();
  for (std::uint32_t i = 0; i < span_; ++i) larger[i] = states[(head_ + i) & (capacity_ - 1)];
  ring_ = std::move(larger);
  capacity_ *= 2;
  head_ = 0;
}

bool ReceivedIds::insert(std::uint16_t id) {
  // Clients count upwards, so the end is nearly always the place.
  if (ids_.empty() || ids_.back() < id) {
    ids_.push_back(id);
    return true;
  }
  const auto at = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (*at == id) return false;
  ids_.insert(at, id);
  return true;
}

bool ReceivedIds::erase(std::uint16_t id) {
  const auto at = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (at == ids_.end() || *at != id) return false;
  ids_.erase(at);
  if (ids_.empty() && ids_.capacity() > 64) ids_ = {};
  return true;
}

}  // namespace gnomon::mqtt
