// What is in flight on one connection or session: packet ids and their states. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "mqtt/types.h"

namespace gnomon::mqtt {

// SendWindow: the packet ids of PUBLISHes sent and not yet finally acknowledged (QoS 1 and 2).
// Ids are given out in turn, 1 to 65,535 and round again, so the ids in flight lie in a window
// that begins at the oldest; a ring of one byte each holds their states. A window of up to 16 ids
// needs no memory of its own, and an empty one gives its memory back.
// Bound: `count()` ≤ the maximum given to full(); the window spans at most `span_max` ids, so one
// acknowledgement that never comes cannot make ids collide.
class SendWindow {
 public:
  static constexpr int span_max = 65535;

  [[nodiscard]] bool full(std::uint16_t maximum) const;
  [[nodiscard]] int count() const { return count_; }
  // Takes the next id. Not full().
  std::uint16_t take(std::uint8_t qos);

  enum class Outcome : std::uint8_t {
    done,     // final: the id is free again
    release,  // PUBREC for QoS 2, also a repeated one: answer PUBREL
    unknown,  // no such id in flight, or not in a state that this packet ends
  };
  Outcome puback(std::uint16_t id);
  // `failed`: the reason is 0x80 or above, which ends the exchange (MQTT 5 §4.3.3).
  Outcome pubrec(std::uint16_t id, bool failed);
  Outcome pubcomp(std::uint16_t id);

 private:
  enum class State : std::uint8_t { free, sent_qos1, sent_qos2, released };
  static constexpr std::uint32_t small_capacity = 16;

  [[nodiscard]] State* ring() { return ring_ ? ring_.get() : small_.data(); }
  [[nodiscard]] State* find(std::uint16_t id);
  Outcome finish(State& state);
  void grow();

  std::unique_ptr<State[]> ring_;  // once the window outgrows small_
  std::array<State, small_capacity> small_{};
  std::uint32_t capacity_ = small_capacity;  // of the ring in use; a power of two
  std::uint32_t head_ = 0;                   // where in the ring the window begins
  std::uint32_t span_ = 0;                   // ids from the oldest in flight to the newest
  std::uint16_t first_id_ = 1;               // the id at head_
  std::uint16_t count_ = 0;
};

// ReceivedIds: packet ids of QoS 2 PUBLISHes taken and not yet released, so that a duplicate is
// delivered once. At most the receive maximum that was announced.
class ReceivedIds {
 public:
  // True if `id` is new; false for a duplicate.
  bool insert(std::uint16_t id);
  // True if it was there.
  bool erase(std::uint16_t id);
  [[nodiscard]] std::size_t size() const { return ids_.size(); }

 private:
  std::vector<std::uint16_t> ids_;  // sorted
};

}  // namespace gnomon::mqtt
