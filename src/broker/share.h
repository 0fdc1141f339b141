// Share: what a share group (`$share/NAME/FILTER`, MQTT 5 §4.8.2) is still to give to its members.
// Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "broker/authenticator.h"
#include "broker/mail.h"
#include "broker/rate.h"
#include "broker/ready_budget.h"
#include "store/store.h"
#include "topic/index.h"

namespace gnomon::broker {

// Share: the members of one group, its queue, and what is in flight to whom.
// Every message with QoS 1 or 2 has a sequence and goes to one member that is online and has room,
// in turn. QoS 1 stays with the group until its member acknowledges it, and goes back into the
// queue, in its place, when the member goes. QoS 2 is the member's once it was handed over.
// While a persistent session is a member, messages are stored; what does not fit in memory, and all
// while nobody is online, lies in the store only and comes by pages:
//   in flight, ready (in memory) | loaded() … next(): only in the store
// Owner: the keeper of the group's slot. Does no I/O: it is told what was stored and read.
class Share {
 public:
  struct Member {
    ShareMember id;
    topic::Options options;
    ConnectionRef connection;  // valid while `online`
    Generation generation = 0;
    bool online = false;
    int window = 0;         // messages that it may have in flight
    int flying = 0;         // that it has
    std::size_t bytes = 0;  // the same, in bytes
    Rate drained;           // what it took of what was queued while nobody was online

    // From now on; null: everything.
    void permit(std::shared_ptr<const Permissions> permissions);
    [[nodiscard]] bool may_receive(std::string_view topic);

   private:
    std::shared_ptr<const Permissions> permissions_;
    std::string asked_;  // the topic that was asked about last
    std::optional<bool> answer_;
  };
  // A message of the queue.
  struct Waiting {
    std::uint64_t sequence = 0;
    std::uint8_t qos = 1;    // as published
    bool retain = false;     // the same
    bool stored = false;     // it lies in the store
    std::uint32_t size = 0;  // bytes it takes there
    Buffer message;          // encoded
  };

  // `drained_per_second`: for each member, of what was queued while nobody was online; 0: as fast
  // as it takes it.
  explicit Share(ReadyBudget& budget, int drained_per_second = 0)
      : drained_per_second_(drained_per_second), ready_bytes_(budget) {}

  // ---- members
  // Adds one, or gives the one that is there new options. Valid until it leaves.
  Member& join(const ShareMember& id, topic::Options options);
  // The member is connected from now on. What was in flight to an earlier connection goes back;
  // these return how many messages that were.
  std::size_t attend(Member& member, const ConnectionRef& connection, Generation generation,
                     int window);
  // It is away. If nobody else is here, what is stored is not held in memory any more.
  std::size_t depart(Member& member);
  std::size_t leave(Member& member);
  [[nodiscard]] Member* find(const ShareMember& id);
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] std::size_t members() const { return members_.size(); }
  [[nodiscard]] bool attended() const { return online_ > 0; }
  // A persistent session is a member, with QoS 1 or 2: nothing may be lost while nobody is here.
  [[nodiscard]] bool keeps() const { return keeping_ > 0; }

  // ---- the queue
  // All sequences in the queue are at or above first() and below next().
  [[nodiscard]] std::uint64_t first() const;
  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] std::uint64_t loaded() const { return loaded_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }  // messages, in memory or not
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // A new message must be stored: the group keeps, or messages before it are only in the store.
  [[nodiscard]] bool stores() const { return keeps() || loaded_ < next_; }
  // Queues a message under next(). It is held in memory if there is use for it, or no other place.
  void add(Waiting message);
  // At start: one was found in the store, with `sequence` ≥ next().
  void found(std::uint64_t sequence, std::size_t size);
  // True if a page from loaded() to next() should be read.
  [[nodiscard]] bool wants_page() const;
  // What a page held. Sequences grow; `message.sequence` ≥ loaded().
  void push(Waiting message);
  // Everything below `sequence` was read.
  void loaded_to(std::uint64_t sequence);

  // ---- giving out
  // The oldest message in memory, or null. drop() takes it out of the queue for good.
  [[nodiscard]] Waiting* front() { return ready_.empty() ? nullptr : &ready_.front(); }
  Waiting drop();
  // Who is to get the front, which is of this topic: the next one in turn that may receive it and
  // has room; null: nobody has, or none may yet.
  [[nodiscard]] Member* taker(std::string_view topic, Instant now = {});
  // Some are here, and none of them may receive it.
  [[nodiscard]] bool is_barred(std::string_view topic);
  // When one with room may; nothing: it is not the rate that keeps the front here.
  [[nodiscard]] std::optional<Instant> next_taker(std::string_view topic, Instant now);
  // Who is to get a message with QoS 0: anybody who is here and may receive it; null: nobody.
  [[nodiscard]] Member* anybody(std::string_view topic);
  // The front is sent to `member` with QoS 1: it stays the group's, and valid, until it is finished
  // or goes back.
  const Waiting& lend(Member& member);
  // The front is the member's from now on (QoS 2): it has left the queue. What `finish` returns for
  // it is empty.
  Waiting give(Member& member);
  // `connection` has acknowledged what it was sent: the message, if it was in flight to it.
  std::optional<Waiting> finish(std::uint64_t sequence, const ConnectionRef& connection);
  // `connection` did not send what it was lent: it goes back to its place. False: it has none.
  bool decline(std::uint64_t sequence, const ConnectionRef& connection);

 private:
  struct Flight {
    Member* member = nullptr;
    Waiting message;        // lent: without a message it was given
    std::size_t bytes = 0;  // of the message
  };
  [[nodiscard]] static bool has_room(const Member& member);
  [[nodiscard]] bool drains() const {
    return drained_per_second_ > 0 && !ready_.empty() && ready_.front().sequence < drain_to_;
  }
  Waiting take_front(Member& member);
  std::size_t go_back(Member& member);
  void forget_stored();
  void erased(const Waiting& message);

  int drained_per_second_;
  std::uint64_t drain_to_ = 0;  // what is below was queued before anybody was online
  std::vector<std::unique_ptr<Member>> members_;
  std::size_t turn_ = 0;  // the member to be asked next
  int online_ = 0, keeping_ = 0;
  std::deque<Waiting> ready_;  // by sequence
  std::unordered_map<std::uint64_t, Flight> flight_;
  ReadyBytes ready_bytes_;
  std::uint64_t loaded_ = 1, next_ = 1;
  std::uint64_t count_ = 0, bytes_ = 0;
};

}  // namespace gnomon::broker
