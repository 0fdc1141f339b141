// Tickets: acknowledgements that wait for what they promise. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "mqtt/types.h"

namespace gnomon::broker {

// Tickets: the open QoS ≥ 1 PUBLISHes of one connection, in order. Each ticket counts obligations:
// the places that must have taken the message before its PUBACK or PUBREC may leave. A ticket
// closes when its last obligation is settled and all earlier tickets of the connection are closed
// (MQTT 5 §4.6: acknowledgements in the order of the PUBLISHes).
// Owner: the publisher's connection.
class Tickets {
 public:
  using Number = std::uint64_t;

  // Opens a ticket for a PUBLISH of `qos` 1 or 2, with `obligations` ≥ 0 to settle.
  Number open(std::uint16_t packet_id, std::uint8_t qos, int obligations) {
    tickets_.push_back({packet_id, qos, mqtt::Reason::success, obligations});
    return first_ + tickets_.size() - 1;
  }
  // One obligation of an open ticket is met, or has failed with `reason` ≥ 0x80; the first failure
  // is the one reported.
  void settle(Number number, mqtt::Reason reason = mqtt::Reason::success) {
    Ticket& ticket = tickets_[number - first_];
    if (ticket.reason == mqtt::Reason::success) ticket.reason = reason;
    --ticket.obligations;
  }
  // One obligation, which is still to be settled, has failed already.
  void fail(Number number, mqtt::Reason reason) { tickets_[number - first_].reason = reason; }
  struct Closed {
    std::uint16_t packet_id;
    std::uint8_t qos;
    mqtt::Reason reason;
  };
  // Takes the oldest ticket if it can close.
  bool next(Closed& closed) {
    if (tickets_.empty() || tickets_.front().obligations > 0) return false;
    closed = {tickets_.front().packet_id, tickets_.front().qos, tickets_.front().reason};
    tickets_.pop_front();
    ++first_;
    return true;
  }
  [[nodiscard]] bool empty() const { return tickets_.empty(); }
  [[nodiscard]] std::size_t size() const { return tickets_.size(); }
  // True if the QoS 2 PUBLISH with this id has an open ticket.
  [[nodiscard]] bool has_qos2(std::uint16_t packet_id) const {
    return std::any_of(tickets_.begin(), tickets_.end(), [&](const Ticket& ticket) {
      return ticket.qos == 2 && ticket.packet_id == packet_id;
    });
  }

 private:
  struct Ticket {
    std::uint16_t packet_id;
    std::uint8_t qos;
    mqtt::Reason reason;
    int obligations;
  };
  std::deque<Ticket> tickets_;
  Number first_ = 0;
};

}  // namespace gnomon::broker
