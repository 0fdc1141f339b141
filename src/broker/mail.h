// What the threads of the broker send each other, and the lane it travels in.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "message/message.h"
#include "mqtt/types.h"
#include "partition/slots.h"
#include "runtime/mailbox.h"
#include "topic/interest.h"

namespace gnomon::broker {

using ShardId = std::uint8_t;

// A connection of one shard, as others name it. The serial tells it from a later one that took its
// place; a pointer to a foreign connection does not exist.
struct ConnectionRef {
  ShardId shard = 0;
  std::uint32_t index = 0;
  std::uint32_t serial = 0;
  bool operator==(const ConnectionRef&) const = default;
};

// Grows with every claim of a slot's client ids. 0: none.
using Generation = std::uint64_t;

// ---- messages (data: needs a credit)

// Encoded messages, one behind the other. Belongs to the shard that filled it; the target returns
// it with Credit, so its memory is reused without a lock.
struct Block {
  Buffer messages;
};
struct Data {
  std::unique_ptr<Block> block;
};

// ---- interest (control)

// The sender's own subscriptions of a filter went 0→1 or 1→0. `sequence` grows with each change.
struct InterestChange {
  std::uint64_t sequence = 0;
  bool wanted = false;
  std::uint64_t hash = 0;  // of an exact filter
  std::string wildcard;    // else the filter itself
};
// All changes up to `sequence` are in force here.
struct InterestAck {
  std::uint64_t sequence = 0;
};

// ---- who holds a client id (control; home = the slot of the client id)

struct Claim {
  std::string client_id;
  ConnectionRef connection;
  std::string will;  // encoded; empty: none. Recorded durably before the grant.
};
struct Grant {
  ConnectionRef connection;
  Generation generation = 0;
};
// The claim is refused: a newer one came first, or the store refuses.
struct Deny {
  ConnectionRef connection;
  mqtt::Reason reason = mqtt::Reason::server_busy;
};
// Another connection claims the client id: end this one. Its Release is the answer, or is on its
// way already.
struct Evict {
  ConnectionRef connection;
};
// The connection has ended: 0x8E was written, its will is published.
struct Release {
  std::string client_id;
  ConnectionRef connection;
};

// ---- from the acceptor
struct Adopt {
  runtime::Accepted accepted;
};

// ---- credits: never ordered behind data, so that no cycle of shards can wait for itself
struct Credit {
  std::unique_ptr<Block> block;
};

using Mail = std::variant<Data, InterestChange, InterestAck, Claim, Grant, Deny, Evict, Release,
                          Adopt, Credit>;

struct Envelope {
  ShardId from = 0;
  Mail mail;
};
using ShardMailbox = runtime::Mailbox<Envelope>;

// Outbox: one shard's mail to another: collected during a turn, handed over at its end.
// Data travels on credit: `limits::mail_credits` blocks may be on the way or unread. Control mail
// is never refused, but stays behind the data that was sent before it. While credits are
// out, data gathers here; blocked() then tells the publishers' connections to wait.
// Owner: the sending shard.
class Outbox {
 public:
  Outbox(ShardId from, ShardMailbox& target) : from_(from), target_(target) {}

  void send(Mail mail) { lane_.push_back(std::move(mail)); }
  void send_message(const message::Message& message);
  void send_credit(std::unique_ptr<Block> block) {
    express_.push_back({from_, Credit{std::move(block)}});
  }
  // The target has read a block.
  void credit(std::unique_ptr<Block> block);

  // Hands over what may go.
  void flush();
  // Data waits for credits; connections should stop adding to it.
  [[nodiscard]] bool blocked() const { return !lane_.empty() && credits_ == 0; }
  [[nodiscard]] bool empty() const { return lane_.empty() && express_.empty(); }

  // Position behind all data sent so far, and the position up to which it was handed over.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t handed_over() const { return sent_ - waiting_messages_; }

 private:
  Block& filling();

  ShardId from_;
  ShardMailbox& target_;
  std::deque<Mail> lane_;
  std::vector<Envelope> express_, batch_;
  std::vector<std::unique_ptr<Block>> free_blocks_;
  int credits_ = limits::mail_credits;
  std::uint64_t sent_ = 0, waiting_messages_ = 0;
  std::deque<std::uint32_t> block_messages_;  // messages in each block that waits in the lane
};

}  // namespace gnomon::broker
