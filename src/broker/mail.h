// What the threads of the broker send each other, and the lane it travels in.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "broker/authenticator.h"
#include "broker/presence.h"
#include "broker/reserved_topics.h"
#include "message/message.h"
#include "mqtt/types.h"
#include "partition/slots.h"
#include "runtime/mailbox.h"
#include "store/store.h"
#include "topic/index.h"
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

// Grows with every claim of a slot's client ids, over restarts too. 0: none.
using Generation = std::uint64_t;

// A message that a slot has promised to pass on (QoS 2, wills), and passes on again after a
// restart: who takes it records the highest sequence taken from that slot and drops what is not
// above it.
struct Forwarded {
  partition::SlotId slot;
  std::uint64_t sequence = 0;
};

// A persistent session as its connection's shard names it to the session's home.
struct SessionRef {
  ShardId home = 0;           // whose keeper has it
  std::uint32_t index = 0;    // in the keeper's table
  Generation generation = 0;  // of the connection that uses it; another one's mail is dropped
};

// A member of a share group: a persistent session, or a connection with a clean one.
struct ShareMember {
  std::string client_id;     // of the persistent session
  std::uint64_t number = 0;  // its number; 0: a clean session
  ConnectionRef connection;  // of the clean session
  bool operator==(const ShareMember&) const = default;
};
// A message that a share group has given to a member, as the group knows it.
struct ShareRef {
  ShardId home = 0;            // whose keeper has the group
  std::uint32_t group = 0;     // in the keeper's table
  std::uint64_t number = 0;    // the group's: another one may have its place by now
  std::uint64_t sequence = 0;  // 0: no such message
};

// ---- messages (data: needs a credit)

// Messages or deliveries (delivery.h), encoded, one behind the other. Belongs to the shard that
// filled it; the target returns it with Credit, so its memory is reused without a lock.
struct Block {
  Buffer entries;
  bool wants_kept = false;  // answer with Kept when what must be durable of it is
};
struct Data {
  std::unique_ptr<Block> block;
};
// For connections of the target: what their homes send them.
struct Deliveries {
  std::unique_ptr<Block> block;
};
// Of all messages that the target of this mail has sent here, those up to `position` are durable
// where they must be, but for the refused ones.
struct Kept {
  struct Refused {
    std::uint64_t position;
    mqtt::Reason reason;
  };
  std::uint64_t position = 0;
  std::vector<Refused> refused;
};

// ---- interest (control)

// The sender's own subscriptions of a filter went 0→1 or 1→0: those of its connections, or those of
// its keeper's sessions. `sequence` grows with each change.
struct InterestChange {
  std::uint64_t sequence = 0;
  bool wanted = false;
  bool kept = false;       // of its keeper
  bool barrier = false;    // nothing changes: only the acknowledgement is wanted
  std::uint64_t hash = 0;  // of an exact filter
  std::string wildcard;    // else the filter itself
};
// All changes up to `sequence` are in force here: from message `next_message` of the sender on.
// What it published before is handed over, to every shard.
struct InterestAck {
  std::uint64_t sequence = 0;
  std::uint64_t next_message = 0;
};

// ---- who a connection is (from any thread)
struct Authenticated {
  ConnectionRef connection;
  Verdict verdict;
};
// Who it is now; `number` of the question.
struct Renewed {
  ConnectionRef connection;
  std::uint32_t number = 0;
  Verdict verdict;
};

// ---- who holds a client id (control; home = the slot of the client id)

struct Claim {
  std::string client_id;
  ConnectionRef connection;
  bool clean_start = true;
  std::uint32_t expiry_seconds = 0;  // of the session, after the connection; 0: clean
  std::uint16_t receive_maximum = 65535;
  std::string will;  // records::Will; empty: none. Recorded durably before the grant.
  std::string principal;
};
// What a connection gets of its persistent session.
struct KeptGrant {
  std::uint32_t session = 0;
  std::vector<std::pair<std::string, topic::Options>> subscriptions;
  std::vector<std::string> shares;  // whole filters
};
struct Grant {
  ConnectionRef connection;
  Generation generation = 0;
  bool session_present = false;
  std::unique_ptr<KeptGrant> kept;  // null: a clean session
};
// The claim is refused: a newer one came first, or the store refuses.
struct Deny {
  ConnectionRef connection;
  mqtt::Reason reason = mqtt::Reason::server_busy;
};
// Another connection claims the client id, or an operation ends this one. Its Release is the
// answer, or is on its way already.
struct Evict {
  ConnectionRef connection;
  bool by_operation = false;
  bool prevent_will = false;  // then only
};
// The connection has ended: 0x8E was written, what it published is on its way.
struct Release {
  std::string client_id;
  ConnectionRef connection;
  bool publish_will = false;
  std::optional<std::uint32_t> expiry_seconds{};  // DISCONNECT said another one
  DisconnectReason why = DisconnectReason::connection_lost;
  std::string principal{};
};
// CONNACK is written: the client is connected. To the home of its id, which is that of its session,
// too: deliver.
struct Opened {
  std::string client_id;
  ConnectionRef connection;
  std::string principal;
  runtime::Peer peer;
  SessionRef session{};                              // generation 0: a clean one
  std::shared_ptr<const Permissions> permissions{};  // null: everything
};
// It has subscribed or unsubscribed, and somebody may want to hear of it (presence.h).
struct SubscriptionsChanged {
  std::string client_id;
  ConnectionRef connection;
  std::string principal;
  bool subscribed = true;
  std::vector<std::string> filters{};
};

// ---- between a connection and its persistent session (control)

// What its client may receive is different now: its share groups are told.
struct SessionPermissions {
  SessionRef session;
  std::shared_ptr<const Permissions> permissions;
};
// SUBSCRIBE or UNSUBSCRIBE, and its answer.
struct Change {
  struct Entry {
    std::string filter;
    topic::Options options;
    mqtt::Reason reason = mqtt::Reason::success;  // ≥ 0x80: refused, and kept for the answer
    bool existed = false;                         // answer: it was subscribed before
    bool fresh = false;                           // answer: nobody else at home wanted the filter
  };
  SessionRef session;
  ConnectionRef connection;
  std::uint16_t packet_id = 0;
  bool subscribe = true;
  bool asked = true;  // by the client, who gets an answer
  bool answered = false;
  std::uint64_t interest = 0;  // answer: the number of the home's last change for it
  std::vector<Entry> entries;
  // Answer: see Replay::live_others, for entries that are not fresh and for those that are.
  std::vector<std::uint64_t> seen, live_from;
};
struct Acks {
  struct Item {
    SessionRef session;
    std::uint16_t packet_id;
    mqtt::PacketType type;  // puback, pubrec, pubcomp
    bool failed;            // its reason is 0x80 or above
    bool declined = false;  // it was not sent: its client may not receive it
  };
  std::vector<Item> items;
  // For the home of a share group: a member has acknowledged what it was given.
  struct Shared {
    ShareRef share;
    ConnectionRef connection;  // of the member
    bool declined = false;     // it was not sent: somebody else may have it
  };
  std::vector<Shared> shared;
};
// A QoS 2 PUBLISH of the session's client, answered by a Delivery that settles the ticket.
struct Receive {
  SessionRef session;
  ConnectionRef connection;
  std::uint16_t packet_id = 0;
  std::uint64_t ticket = 0;
  Buffer message;  // encoded
};
// Its PUBREL, answered by a Delivery.
struct ReleaseId {
  SessionRef session;
  ConnectionRef connection;
  std::uint16_t packet_id = 0;
};

// A retained message for a new subscription of the session.
struct Replayed {
  SessionRef session;
  std::uint8_t qos = 1;
  std::uint32_t identifier = 0;
  Buffer message;  // encoded
};

// ---- share groups (home = the slot of the whole filter)

// Somebody is a member now, or still one with other options; or a member is connected now.
struct ShareJoin {
  std::string filter;  // `$share/NAME/FILTER`
  ShareMember member;
  topic::Options options;
  bool online = false;  // by `connection`
  ConnectionRef connection;
  Generation generation = 0;
  std::uint16_t receive_maximum = 65535;
  std::shared_ptr<const Permissions> permissions;  // of who is online; null: everything
  ShardId from = 0;                                // gets ShareJoined
  std::uint64_t answer = 0;                        // which names this; 0: it is not wanted
  std::uint16_t entry = 0;                         // of the SUBSCRIBE
};
// The group gets what is published from now on, and so does the member unless it was refused: the
// group has as many as it may.
struct ShareJoined {
  std::uint64_t answer = 0;
  std::uint16_t entry = 0;
  std::string refused;  // then its filter; else empty
};
// What a member may receive is different now.
struct SharePermissions {
  std::string filter;
  ShareMember member;
  std::shared_ptr<const Permissions> permissions;
};
struct ShareLeave {
  std::string filter;
  ShareMember member;
  bool ends = true;  // false: it is only away
};
// A message for a persistent session that is a member. With QoS 1 it is the group's until it is
// acknowledged, and dropped unless this connection is there; QoS 2 is the session's from now on,
// answered by HandTaken.
struct Hand {
  ShareRef share;
  std::string client_id;
  std::uint64_t number = 0;  // the session's
  ConnectionRef connection;  // as the group knows it
  Generation generation = 0;
  std::uint8_t qos = 1;
  bool retain = false;
  std::uint32_t identifier = 0;
  Forwarded forwarded{};  // QoS 2
  Buffer message;         // encoded
};
struct HandTaken {
  ShareRef share;
  ConnectionRef connection;
  Forwarded forwarded{};
  bool refused = false;  // there is no such session any more
};
// A message with QoS 2 that was given to a connection which has ended without sending it.
struct ShareReturn {
  ShareRef share;
  ConnectionRef connection;
  Buffer message;  // encoded
};

// ---- answers of the pool

// A piece of a queue, in order.
struct Page {
  struct Entry {
    std::uint64_t sequence;
    std::string value;  // records::Entry
    std::string body;   // if the entry names one
  };
  enum class Of : std::uint8_t { session, group, purge };
  Of of = Of::session;
  std::uint32_t index = 0;   // of the session or group in the keeper's table
  std::uint64_t number = 0;  // its own: another one may have its place by now
  std::uint64_t request = 0;
  std::uint64_t read_to = 0;    // all below it that is stored is here
  store::Sequence written = 0;  // what was applied when it was read
  std::vector<Entry> entries;
  bool damaged = false;
};

// Asks a keeper for what is retained in its slots; answered by RetainedPages.
struct RetainedRequest {
  ConnectionRef connection;
  std::uint64_t request = 0;
  std::shared_ptr<const std::vector<std::string>> filters;
  std::size_t filter = 0;  // where to begin: see RetainedPage
  int slot = 0;
  std::string after;
};
struct RetainedPage {
  struct Entry {
    std::size_t filter;  // which one it matches
    std::uint64_t run;
    std::string message;  // encoded
  };
  ConnectionRef connection;
  std::uint64_t request = 0;
  ShardId from = 0;
  std::vector<Entry> entries;
  // Go on with this filter, in this slot, behind this key. All filters done: that was all.
  std::size_t filter = 0;
  int slot = 0;
  std::string after;
};

// ---- answers of services (reserved_topics.h), from any thread
struct Answered {
  ConnectionRef connection;
  ReservedAnswer answer;
};

// A service has taken what this connection has asked for: one obligation of the ticket is met.
struct Served {
  ConnectionRef connection;
  std::uint64_t ticket = 0;
};

// ---- credits: never ordered behind data, so that no cycle of shards can wait for itself
struct Credit {
  std::unique_ptr<Block> block;
};

// The server stops, and this shard takes no more from its clients: the last that it had for the
// other is before this.
struct LastCall {};

using Mail = std::variant<Data, Deliveries, Kept, InterestChange, InterestAck, Authenticated,
                          Renewed, Claim, Grant, Deny, Evict, Release, Opened, SubscriptionsChanged,
                          Change, Acks, Receive, ReleaseId, Replayed, SessionPermissions, ShareJoin,
                          ShareJoined, SharePermissions, ShareLeave, Hand, HandTaken, ShareReturn,
                          Page, RetainedRequest, RetainedPage, Answered, Served, Credit, LastCall>;

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
  // The message's position in the lane is sent() afterwards. `kept`: the target answers with Kept.
  void send_message(const message::Message& message, const Forwarded* forwarded, bool kept);
  // To be delivered to a connection of the target.
  Buffer& delivery() { return filling<Deliveries>().entries; }
  void send_credit(std::unique_ptr<Block> block) {
    express_.push_back({from_, Credit{std::move(block)}});
  }
  // The target has read a block.
  void credit(std::unique_ptr<Block> block);

  // Hands over what may go.
  void flush(Instant now);
  // A block has been with the target for long: it has more to do than it can.
  [[nodiscard]] bool late(Instant now) const {
    return !handed_over_at_.empty() && now - handed_over_at_.front() > limits::lane_time;
  }
  // Data waits for credits; connections should stop adding to it.
  [[nodiscard]] bool blocked() const { return !lane_.empty() && credits_ == 0; }
  [[nodiscard]] bool empty() const { return lane_.empty() && express_.empty(); }

  // Position behind all data sent so far, and the position up to which it was handed over.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t handed_over() const { return sent_ - waiting_messages_; }

 private:
  template <class Letter>
  Block& filling();

  ShardId from_;
  ShardMailbox& target_;
  std::deque<Mail> lane_;
  std::vector<Envelope> express_, batch_;
  std::vector<std::unique_ptr<Block>> free_blocks_;
  int credits_ = limits::mail_credits;
  std::deque<Instant> handed_over_at_;  // of the blocks that the target has
  std::uint64_t sent_ = 0, waiting_messages_ = 0;
  std::deque<std::uint32_t> block_messages_;  // messages in each Data that waits in the lane
};

}  // namespace gnomon::broker
