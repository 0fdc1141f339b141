// Outgoing: what a persistent session is still to receive with QoS 1 and 2. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/bytes.h"
#include "broker/ready_budget.h"
#include "broker/sent_ahead.h"
#include "store/store.h"

namespace gnomon::broker {

// Outgoing: the queue of one persistent session, as far as it is in memory.
// Every message has a sequence, from 1 on without end, and lies in the store under it until it is
// acknowledged; the packet id is derived from the sequence, so both survive a restart. Seen from
// the oldest: in flight (sent, not acknowledged), ready (in memory, to be sent next), and a rest
// that is in the store only and comes by pages.
//   in flight ≤ window | ready | loaded() … next(): only in the store
// A new message may be sent ahead of what waits, where what was stored is sent slowly; it is then
// in flight, and passed over when its turn comes. While nobody is connected nothing is held:
// loaded() is the remembered head of the queue. Owner: the keeper of the session's slot. Does no
// I/O: it is told what was stored and read.
class Outgoing {
 public:
  struct Ready {
    std::uint64_t sequence = 0;
    std::uint8_t qos = 1;
    bool retain = false, released = false;
    bool dup = false;           // it was sent before
    std::uint32_t size = 0;     // bytes it takes in the store
    std::uint64_t body = 0;     // shared body in the store; 0: stored inline
    store::Sequence written{};  // durable from here on; QoS 2 waits for it
    std::vector<std::uint32_t> identifiers;
    Buffer message;  // encoded; empty if released
  };
  // What has left the queue: to be erased from the store.
  struct Gone {
    std::uint64_t sequence = 0, body = 0;
  };
  // A batch of this turn, whose sequence is not known yet.
  static constexpr store::Sequence unwritten = UINT64_MAX;

  // Packet ids of this queue are 1 to `ids`; those above are for what share groups give the
  // session.
  static constexpr std::uint16_t ids = 49'151;
  [[nodiscard]] static std::uint16_t packet_id(std::uint64_t sequence) {
    return static_cast<std::uint16_t>((sequence - 1) % ids + 1);
  }

  explicit Outgoing(ReadyBudget& budget) : ready_bytes_(budget) {}

  // ---- what is stored
  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t loaded() const { return loaded_; }
  [[nodiscard]] std::uint64_t sent_to() const { return sent_to_; }
  // A message was stored under next(), or, at start, found under `sequence` ≥ next().
  void stored(std::size_t size) { found(next_, size); }
  void found(std::uint64_t sequence, std::size_t size);
  void set_sent_to(std::uint64_t sequence) { sent_to_ = sequence; }

  // ---- loading
  // True if the next message stored may be pushed at once: nothing before it is in the store only,
  // and not too much waits already.
  [[nodiscard]] bool caught_up() const;
  // True if a page from loaded() to next() should be read.
  [[nodiscard]] bool wants_page() const;
  // Sequences grow. What was sent ahead is left out.
  void push(Ready ready);
  // Everything below `sequence` was read.
  void loaded_to(std::uint64_t sequence);

  // ---- sending
  // The next message, or null: nothing is ready, the window is full, or its QoS is 2 and it is not
  // durable yet.
  [[nodiscard]] Ready* front(std::uint16_t receive_maximum, store::Sequence durable);
  // What the next one, with QoS 2, waits to become durable for; 0: it does not.
  [[nodiscard]] store::Sequence waits_for(store::Sequence durable) const;
  // The front was sent (true) or is not worth sending (false: erase it).
  Gone pop(bool sent);
  // True if a QoS 1 message that was just stored may be sent at once, past an empty ready list;
  // sent_now() says that it was. Spares the copy that push() keeps.
  [[nodiscard]] bool may_send_now(std::uint16_t receive_maximum, std::uint32_t size) const;
  void sent_now(std::uint64_t sequence, std::uint32_t size, std::uint64_t body);
  // The same past whatever waits: for the message that was stored last.
  [[nodiscard]] bool may_send_ahead(std::uint16_t receive_maximum, std::uint32_t size) const {
    return has_room(receive_maximum, next_ - 1, size);
  }
  void sent_ahead(std::uint64_t sequence, std::uint32_t size, std::uint64_t body);
  // The oldest that was not sent on this connection; next() if there is none.
  [[nodiscard]] std::uint64_t unsent() const {
    return ready_.empty() ? loaded_ : ready_.front().sequence;
  }
  // The batch in which `unwritten` entries lie has got its sequence. True if there are any.
  bool written(store::Sequence sequence);

  // ---- acknowledgements
  enum class Outcome : std::uint8_t {
    done,      // final: erase `gone`
    released,  // first PUBREC: mark `gone` released in the store, then answer PUBREL
    repeated,  // PUBREC again: answer PUBREL
    unknown,   // no such id in flight, or not in a state that this packet ends
  };
  Outcome puback(std::uint16_t id, Gone& gone);
  Outcome pubrec(std::uint16_t id, bool failed, Gone& gone);
  Outcome pubcomp(std::uint16_t id, Gone& gone);

  // The connection has ended: what is in memory is forgotten, what was sent is remembered.
  void disconnected();

  [[nodiscard]] int flying() const { return in_flight_; }

 private:
  enum class State : std::uint8_t { sent_qos1, sent_qos2, released, done };
  struct InFlight {
    std::uint64_t sequence;
    std::uint64_t body;
    std::uint32_t size;
    State state;
  };
  InFlight* find(std::uint16_t id);
  [[nodiscard]] bool has_room(std::uint16_t receive_maximum, std::uint64_t sequence,
                              std::uint32_t size) const;
  void in_flight(const InFlight& entry);
  void finish(InFlight& entry, Gone& gone);
  void erased(std::uint32_t size);

  std::deque<InFlight> flight_;  // by sequence; `done` ones only behind one that is not
  std::deque<Ready> ready_;      // by sequence
  std::uint64_t loaded_ = 1, next_ = 1, sent_to_ = 1;
  SentAhead ahead_;                      // all above loaded_
  std::uint64_t count_ = 0, bytes_ = 0;  // in the store
  std::size_t flight_bytes_ = 0;
  ReadyBytes ready_bytes_;
  int in_flight_ = 0;
};

}  // namespace gnomon::broker
