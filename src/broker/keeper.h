// Keeper: the durable side of one thread's slots.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "broker/counters.h"
#include "broker/delivery.h"
#include "broker/home.h"
#include "broker/inspect.h"
#include "broker/mail.h"
#include "broker/outgoing.h"
#include "broker/presence.h"
#include "broker/profile.h"
#include "broker/rate.h"
#include "broker/ready_budget.h"
#include "broker/records.h"
#include "broker/routes.h"
#include "broker/share.h"
#include "partition/committer.h"
#include "store/store.h"
#include "topic/index.h"
#include "topic/topic.h"

namespace gnomon::broker {

// KeeperHost: what a keeper needs of the shard whose thread it runs on.
class KeeperHost {
 public:
  virtual void send(ShardId to, Mail mail) = 0;
  virtual void deliver(const ConnectionRef& to, const Delivery& delivery) = 0;
  // The sessions' interest in a filter went 0→1 or 1→0. Returns the number that all other shards
  // must have acknowledged before it is in force.
  virtual std::uint64_t interest_changed(std::string_view filter, bool wanted) = 0;
  // Sends the answer to a Change when all interest that was changed so far is in force.
  virtual void answer(ShardId to, Change change) = 0;
  // Publishes a message that this keeper has promised to pass on: to its own sessions too, by
  // keep(). True if all who must have it durably have it already; else forwarded() follows.
  virtual bool forward(const message::Message& message, const Forwarded& forwarded) = 0;
  // A share group's interest in a filter, with any QoS, began or ended. `group` names it in the
  // shard's own index.
  virtual void share_interest(std::string_view filter, std::uint32_t group, bool wanted) = 0;
  // Sends it when all interest that was changed so far is in force.
  virtual void answer(ShardId to, ShareJoined joined) = 0;
  // Sends the joins to the homes of their groups; when all have answered, Keeper::joined() follows.
  virtual void join(std::vector<ShareJoin> joins, ShardId to, Change change) = 0;
  // A session here has acknowledged what a share group gave it.
  virtual void acknowledge(const Acks::Shared& shared) = 0;
  // For each shard, the message id below which all has come here that will. 0: that cannot be told,
  // as it has not acknowledged all interest; by the time of answer() it has.
  [[nodiscard]] virtual std::vector<std::uint64_t> seen() const = 0;
  // Something changed in what match() finds.
  virtual void changed() = 0;
  // Publishes without a promise.
  virtual void publish(const message::Message& message) = 0;
  // The topic of such an event; empty: nobody anywhere wants it, or nothing is told of this id.
  virtual std::string wanted_event(EventKind kind, std::string_view client_id) = 0;
  // Reads a page of a queue elsewhere; a Page follows by mail.
  struct PageRequest {
    Page::Of of = Page::Of::session;
    records::Table table = records::Table::queue;
    partition::SlotId slot;
    std::uint32_t index = 0;
    std::uint64_t number = 0, from = 0, to = 0, request = 0;
    std::size_t bytes = limits::page_bytes;  // at most about so many
  };
  virtual void read_page(const PageRequest& request) = 0;
  // Reads retained messages elsewhere; RetainedPages follow to who asked.
  virtual void read_retained(const RetainedRequest& request) = 0;
  // Something waits for what has been applied.
  virtual void request_sync() = 0;
  // The store takes nothing any more: the process must end.
  virtual void broken(const Error& error) = 0;
  [[nodiscard]] virtual WallTime wall_now() const = 0;
  [[nodiscard]] virtual Instant now() const = 0;

 protected:
  ~KeeperHost() = default;
};

// Keeper: persistent sessions, wills, retained messages and the holders of client ids of the slots
// that are mapped to one thread. A turn's writes go to the store in one batch; what they promise
// leaves when that is durable.
// Owner: a shard. Threads: the shard's; load() before it starts.
class Keeper {
 public:
  struct Setup {
    ShardId id = 0;
    int threads = 1;        // keepers; slot s belongs to the one with id s % threads
    std::uint64_t run = 1;  // grows with every start on a store
    std::uint64_t seed = 0;
    const Profile& profile;
    store::Store& store;
    KeeperHost& host;
    Counters& counters;
    Random& random;
    PresenceObserver* observer = nullptr;  // null: nobody follows who is connected
  };
  explicit Keeper(const Setup& setup);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Reads everything of its slots from the store. Errors: unavailable (the store fails, or holds
  // what is no such record; the message names the key).
  Result<void> load();
  // Then, for each share group that a session here is a member of, its home hears adopt(): first
  // all keepers of a server.
  template <class F>
  void each_share(F&& each) const;
  void adopt(const ShareJoin& join);
  // Goes on with what a run before this one has left: passes on what it had promised, finishes
  // purges, arms wills. After all keepers are loaded and know of each other's interest.
  void resume();
  // Calls `each(filter)` for every filter that a session here wants.
  template <class F>
  void each_filter(F&& each) const {
    for (const std::string& filter : loaded_filters_) each(filter);
  }
  // The same for share groups, with any QoS: `each(filter, group)`.
  template <class F>
  void each_group(F&& each) const;
  void forget_loaded() { loaded_filters_ = {}; }

  // ---- mail
  void handle(Claim& claim);
  void handle(const Release& release);
  void handle(const Opened& given);
  void handle(const SubscriptionsChanged& changed);
  void handle(Change& change);
  void handle(const Acks& acks);
  void handle(Receive& receive);
  void handle(const ReleaseId& release);
  void handle(const SessionPermissions& changed);
  void handle(const ShareJoin& join);
  void handle(const SharePermissions& changed);
  void handle(const ShareLeave& leave);
  void handle(Hand& hand);
  void handle(const HandTaken& taken);
  void handle(const ShareReturn& returned);
  void handle(Page& page);
  void handle(RetainedRequest& request);
  // All groups of a Change have answered.
  void joined(ShardId to, Change change) { after(Answer{to, std::move(change)}); }
  // Before it: the group of this entry did not take the session.
  void refuse(Change& change, std::size_t index);

  // ---- who is connected (keeper_presence.cc)
  // Begins to tell the observer of everyone who is connected; tell_some() goes on, in each turn.
  // `then` is called on this thread when all were told, and what it has written is durable.
  void tell_connected(std::function<void()> then);
  void tell_some();
  // What becomes of a client that an operation ends: of its will, and of its session.
  struct Dismissal {
    bool clean_session = false, prevent_will = false;
  };
  // False: it is not connected and has no session.
  using Dismissed = std::function<void(bool found)>;
  // `told` is called once, on this thread, when the connection has ended, and the session if that
  // is wanted, durably.
  void dismiss(const std::string& client_id, const Dismissal& how, Dismissed told);

  // ---- messages
  // Names of share groups among the subscribers of an index.
  static constexpr std::uint32_t group_bit = std::uint32_t{1} << 31;
  // Adds to `route` the sessions and share groups here that want its topic.
  void match(Route& route);
  // Takes a message: for the share groups of the route, with QoS ≥ 1 for its sessions, with retain
  // as its topic's value if that slot is here. Success, or why one refused it.
  mqtt::Reason keep(const message::Message& message, const Route& route,
                    const Forwarded* forwarded);
  // Puts a retained message into the queue of a session that has subscribed.
  void handle(Replayed& replayed);
  // Everything of shard `from` up to this position has been taken.
  void taken(ShardId from, std::uint64_t position, std::vector<Kept::Refused> refused);
  // All have what forward() passed on.
  void forwarded(const Forwarded& forwarded);

  // ---- turns
  // Writes this turn's batch and sends what may leave. That may cause more to be written: commit
  // until idle().
  void commit();
  [[nodiscard]] bool idle() const { return committer_.idle(); }
  // The store has become durable further than anybody has looked, and somebody waits for it; or
  // commit() has left something for the next turn. Asked before the loop sleeps: the syncer's wake
  // may have come while the turn was on its way.
  [[nodiscard]] bool has_news() const {
    return !ended_.empty() || telling_ < partition::slots ||
           (waits() && store_.durable() > looked_);
  }
  // Expires sessions and publishes wills that are due. The next time there is something, or 0.
  void expire();
  // When expire() has something to do; 0: nothing in sight.
  [[nodiscard]] WallTime next_deadline() const {
    return deadlines_.empty() ? WallTime{} : deadlines_.front().at;
  }
  // Goes on with what a rate has held back until now. next_wake(): when there is some.
  void wake();
  [[nodiscard]] std::optional<Instant> next_wake() const {
    return wakes_.empty() ? std::nullopt : std::optional(wakes_.front().at);
  }
  [[nodiscard]] bool shares_hash(std::string_view filter) const {
    return index_.shares_hash(filter);
  }

  // ---- for an administrator (shard_admin.cc)
  void list_away(ClientPage& page) const;
  void list(SubscriptionPage& page) const;
  [[nodiscard]] ClientRecord record_of(const std::string& client_id) const;

  [[nodiscard]] std::size_t sessions() const { return by_client_.size(); }
  [[nodiscard]] std::uint64_t away() const { return away_; }  // of them, without a connection
  [[nodiscard]] std::uint64_t queued() const;                 // messages, of sessions and groups
  [[nodiscard]] std::size_t share_members() const;
  [[nodiscard]] std::size_t groups() const { return by_share_.size(); }
  [[nodiscard]] std::uint64_t ready_bytes() const { return budget_.bytes(); }
  [[nodiscard]] ShardId owner_of(partition::SlotId slot) const {
    return static_cast<ShardId>(partition::thread_of(slot, threads_));
  }
  [[nodiscard]] bool owns(partition::SlotId slot) const { return owner_of(slot) == id_; }

 private:
  struct Subscribed {
    topic::SubscriptionIndex::Filter* filter;
    topic::Options options;
  };
  struct SharedFilter {
    std::string filter;  // whole
    topic::Options options;
  };
  // What share groups have given to a session with QoS 1. In memory only: it is the groups'.
  struct FromGroups {
    std::deque<Hand> ready;
    std::unordered_map<std::uint16_t, ShareRef> flight;  // by packet id, above Outgoing::ids
    std::uint16_t last_id = UINT16_MAX;
    bool turn = false;  // theirs is the next place in the window
  };
  // What was stored before its client came back is sent at a rate; new messages go ahead of it.
  struct Drain {
    std::uint64_t to;  // sequences below it
    Rate rate;
    bool waits = false;  // a wake is on its way
  };
  struct Session {
    std::string client_id;
    partition::SlotId slot;
    std::uint64_t number = 0;  // 0: a free place
    std::uint32_t expiry_seconds = 0;
    WallTime gone{};              // 0: connected
    bool open = false;            // its connection takes deliveries
    bool waits_for_sync = false;  // it is in waiting_pumps_
    ConnectionRef connection;
    Generation generation = 0;
    std::uint16_t receive_maximum = 65535;
    std::uint64_t page_request = 0;  // outstanding; 0: none
    std::unique_ptr<Drain> drain;    // null: nothing is held back
    std::vector<Subscribed> filters;
    std::vector<SharedFilter> shares;
    std::shared_ptr<const Permissions> permissions;  // of its client while it is open
    std::unique_ptr<FromGroups> from_groups;         // null: nothing
    std::vector<std::uint16_t> received;  // packet ids of QoS 2 PUBLISHes from the client, sorted
    Outgoing out;

    explicit Session(ReadyBudget& budget) : out(budget) {}
  };
  // A session that has ended, while its place and its filters are still in the index.
  struct Ended {
    std::uint32_t session;
    std::vector<Subscribed> filters;
  };
  struct Purge {
    records::Table table;
    partition::SlotId slot;
    std::uint64_t number, from, to;
  };
  struct Forward {
    Forwarded forwarded;
    std::string message;         // for whoever wants its topic,
    std::unique_ptr<Hand> hand;  // or for one session
  };
  struct Group {
    std::string filter;  // whole
    partition::SlotId slot;
    std::uint64_t number = 0;  // 0: a free place
    bool listed = false;       // in the indexes
    bool recorded = false;     // in the store
    std::uint64_t page_request = 0;
    bool waits = false;  // a wake is on its way
    Share share;

    Group(ReadyBudget& budget, int drained_per_second) : share(budget, drained_per_second) {}
  };
  // What was promised to a session and not taken yet.
  struct Promise {
    std::string filter;  // of the group
    Buffer message;
  };
  struct Slot {
    Home home;
    std::unordered_map<std::uint64_t, std::uint32_t> bodies;  // id → entries that share it
    std::unordered_map<std::uint8_t, std::uint64_t> marks;    // forwarding slot → sequence
    std::vector<Forward> forwards;                            // found at start
    std::unordered_map<std::uint64_t, Promise> promises;      // by forward sequence
    std::uint64_t counter = 0;                                // of numbers given out in this run
    bool retains = false;                                     // it may hold retained messages
  };
  // When a rate lets out more of it.
  struct Wake {
    Instant at;
    bool group;  // else a session
    std::uint32_t index;
    std::uint64_t number;
    bool operator>(const Wake& other) const { return at > other.at; }
  };
  struct Answer {
    ShardId to;
    Change change;
  };
  struct Reply {
    ConnectionRef to;
    Delivery delivery;
  };
  struct Joined {
    ShardId to;
    ShareJoined joined;
  };
  // A QoS 2 message for a connection with a clean session.
  struct Given {
    Hand hand;
  };
  // An operation has done what it was to do.
  struct Told {
    Dismissed told;
    bool found;
  };
  using Outcome = std::variant<Addressed, Answer, Reply, Joined, Given, Told>;
  // A dismissal whose connection has not ended yet.
  struct Waiting {
    ConnectionRef connection;
    bool clean_session;
    Dismissed told;
  };
  // A connection that was open when the server ended. `due`: it is told that it is gone, unless the
  // client is back.
  struct LeftOpen {
    records::Presence record;
    WallTime due;
  };

  // ---- shard_admin.cc
  [[nodiscard]] ClientView view(const Session& session) const;
  static void list(const Session& session, SubscriptionPage& page);

  // ---- keeper.cc
  void wake_at(const Wake& wake);
  Slot& slot(partition::SlotId id);
  std::uint64_t number(Slot& slot);
  void write(std::string key, std::string value);
  void erase(std::string key);
  void look();  // what has become durable
  [[nodiscard]] bool waits() const { return committer_.waiting() > 0 || !waiting_pumps_.empty(); }
  void release(Outcome&& outcome);
  void pass_on();
  void after(Outcome outcome) { committer_.after(std::move(outcome)); }

  // ---- keeper_claims.cc
  bool claim_rate_allows(const std::string& client_id);
  void claim_effects(const std::string& client_id, Claim* claim);
  void grant(Claim& claim, Grant grant);
  Session& make_session(const Claim& claim, partition::SlotId slot);
  void write_session(const Session& session);
  void end_session(Session& session);
  void drop_filters();
  void leave_will(const Claim& claim, const Grant& grant);
  void will_of(const std::string& client_id, const Release& release, std::uint32_t expiry);
  void publish_will(const std::string& client_id, const records::Will& will);
  void schedule(WallTime at, const std::string& client_id);
  // When it expires, if nobody comes back to it.
  [[nodiscard]] static WallTime end_of(const Session& session);
  void expire_session(const std::string& client_id, WallTime now);

  // ---- keeper_presence.cc
  SessionIdentifier make_identifier();
  void number_connection(const Claim& claim, bool durable);
  void opened(const Opened& opened);
  void ended(const Release& release);
  void announce(const PresenceChange& change);
  template <class Write>
  void tell(EventKind kind, std::string_view client_id, Write&& write);
  void note_left_open(std::string_view client_id, records::Presence record, WallTime due);
  void tell_left_open(const std::string& client_id, WallTime now);
  bool dismissed(const Release& release);

  // ---- keeper_queue.cc
  Session* find(const SessionRef& ref);
  mqtt::Reason keep_for_receivers(const message::Message& message, const Route& route,
                                  const Forwarded* forwarded);
  void share_bodies(const Forwarded* forwarded);
  mqtt::Reason keep_for(Session& session, const message::Message& message, std::uint8_t qos,
                        bool retain, std::span<const std::uint32_t> identifiers, std::uint64_t body,
                        bool promised);
  mqtt::Reason retain(const message::Message& message, partition::SlotId id, bool promised);
  [[nodiscard]] bool has_retained_room(std::string_view topic) const;
  void note_retained(std::string_view topic);
  [[nodiscard]] bool may_retain(const RetainedRequest& request) const;
  void read();
  bool seen_before(Slot& slot, partition::SlotId id, const Forwarded& forwarded);
  void pump(Session& session);
  bool pump_queue(Session& session, WallTime now, store::Sequence durable);
  static bool drains(Session& session);
  bool may_drain(Session& session);
  bool pump_groups(Session& session, WallTime now);
  static std::uint16_t window_of(const Session& session);
  void send(Session& session, Outgoing::Ready& ready, WallTime now, bool& sent);
  void gone(Session& session, const Outgoing::Gone& gone);
  void drop_body(partition::SlotId id, std::uint64_t body);
  void page_for(Session& session);
  void purge_next();
  void purge_page(const Page& page);

  // ---- keeper_shares.cc
  [[nodiscard]] static partition::SlotId slot_of_group(std::string_view filter);
  [[nodiscard]] ShardId home_of_group(std::string_view filter) const;
  Group* find(const ShareRef& ref);
  Group& group_of(const std::string& filter);
  std::uint32_t index_of(const Group& group) const { return by_share_.at(group.filter); }
  void list(Group& group);
  void record(Group& group);
  void end_group(Group& group);
  void change_share(Session& session, const Change& change, Change::Entry& entry,
                    std::vector<ShareJoin>& joins);
  [[nodiscard]] ShareJoin join_of(const Session& session, const SharedFilter& share) const;
  void attend_groups(const Session& session);
  void leave_groups(const Session& session, bool ends);
  mqtt::Reason keep_for(Group& group, const message::Message& message, bool promised);
  void keep_again(Group& group, const Buffer& message);
  void pump(Group& group);
  void hand_over(Group& group, Share::Member& member, const message::Message& message);
  void hand_qos2(Group& group, Share::Member& member, Hand hand);
  void gone(const Group& group, const Share::Waiting& message);
  void acknowledged(const Acks::Shared& shared);
  void acknowledged(Session& session, const Acks::Item& item);
  void take(Hand& hand, Session* session);
  void release(const Given& given);
  void page_for(Group& group);
  void take_page(Group& group, Page& page);

  // ---- keeper_load.cc
  Result<void> load_slot(partition::SlotId id);
  Result<void> load_groups(partition::SlotId id);

  const ShardId id_;
  const int threads_;
  const std::uint64_t run_, seed_;
  const Profile& profile_;
  store::Store& store_;
  KeeperHost& host_;
  Counters& counters_;
  Random& random_;
  PresenceObserver* const observer_;

  std::array<std::unique_ptr<Slot>, partition::slots> slots_;
  ReadyBudget budget_;  // outlives what is in it
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::uint32_t> free_sessions_;
  std::deque<Ended> ended_;
  std::unordered_map<std::string, std::uint32_t> by_client_;
  topic::SubscriptionIndex index_;
  std::vector<std::string> loaded_filters_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<std::uint32_t> free_groups_;
  std::unordered_map<std::string, std::uint32_t> by_share_;
  std::unordered_map<std::string, Claim> waiting_claims_;
  std::unordered_map<std::string, Rate> claim_rates_;  // only if the profile limits them
  std::unordered_map<std::string, records::Will> wills_;
  Versions versions_;
  std::unordered_map<std::string, LeftOpen> left_open_;
  std::unordered_multimap<std::string, Waiting> dismissals_;  // at most as many as calls at once
  std::array<std::uint8_t, 4096> random_bytes_{};
  std::size_t random_at_ = random_bytes_.size();
  std::vector<std::function<void()>> all_told_;  // who waits for it
  int telling_ = partition::slots;  // the slot that the observer is told of next; that: none
  std::unordered_set<std::uint64_t> retained_;  // hashes of topics; only if they are limited

  partition::Committer<Outcome> committer_;
  std::vector<Forward> forwards_;         // of this turn: passed on when it is written
  std::vector<std::uint32_t> unwritten_;  // sessions with entries of this turn's batch
  struct WaitingPump {
    store::Sequence sequence;
    std::uint32_t session;
  };
  std::deque<WaitingPump> waiting_pumps_;
  store::Sequence wanted_ = 0;     // the highest that a pump has waited for
  store::Sequence requested_ = 0;  // a sync was asked for up to here
  store::Sequence looked_ = 0;     // durable when last looked
  // To be read when this turn's batch is applied.
  std::vector<KeeperHost::PageRequest> pages_;
  std::vector<RetainedRequest> retained_reads_;
  std::deque<Purge> purges_;
  bool purging_ = false;
  std::uint64_t requests_ = 0;
  std::uint64_t queued_ = 0;
  std::uint64_t away_ = 0;
  struct Deadline {
    WallTime at;
    std::string client_id;
    bool operator>(const Deadline& other) const { return at > other.at; }
  };
  std::vector<Deadline> deadlines_;  // a heap
  std::vector<Wake> wakes_;          // a heap

  // Scratch.
  std::vector<Addressed> effects_;
  std::vector<Outcome> ready_, failed_;
  std::vector<topic::Subscription> matched_;
  std::array<std::uint32_t, partition::slots> receivers_{};
  std::vector<std::uint8_t> receiver_slots_;
  std::array<std::uint64_t, partition::slots> shared_bodies_{};
  Buffer encoded_;
};

template <class F>
void Keeper::each_share(F&& each) const {
  for (const auto& session : sessions_) {
    for (const SharedFilter& share : session->shares) each(join_of(*session, share));
  }
}

template <class F>
void Keeper::each_group(F&& each) const {
  for (const auto& [filter, index] : by_share_) {
    if (groups_[index]->listed) each(topic::split_shared(filter).filter, group_bit | index);
  }
}

}  // namespace gnomon::broker
