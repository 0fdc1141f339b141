// Shard: one core's share of the broker.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "broker/authenticator.h"
#include "broker/connection.h"
#include "broker/counters.h"
#include "broker/encoder.h"
#include "broker/keeper.h"
#include "broker/mail.h"
#include "broker/pressure.h"
#include "broker/profile.h"
#include "broker/reserved_topics.h"
#include "broker/retained.h"
#include "broker/routes.h"
#include "broker/shard_rates.h"
#include "broker/status_topics.h"
#include "partition/syncer.h"
#include "runtime/loop.h"
#include "runtime/pool.h"
#include "store/store.h"
#include "topic/index.h"
#include "topic/interest.h"

namespace gnomon::broker {

// Shard: owns its connections, matches topics, delivers; runs the keeper of the slots that are
// mapped to it. It never blocks and never waits for a disk: it writes to the log, the syncer waits,
// the pool reads.
// Threads: its loop's, but for mailbox() and load(); recover() and resume() before the loop starts.
class Shard final : public runtime::TurnHandler, private KeeperHost {
 public:
  // `seed` keys the hashes of filters, `run` counts the starts on this store: both the same in all
  // shards of a server. `on_broken` is called, once or more, when the store takes nothing any more.
  struct Setup {
    ShardId id = 0;
    int shards = 1;
    std::uint64_t seed = 0;
    std::uint64_t run = 1;
    const Profile& profile;
    runtime::Loop& loop;
    store::Store& store;
    partition::Syncer& syncer;
    runtime::Pool& pool;
    Random& random;
    Authenticator& authenticator;
    std::function<void(const Error&)> on_broken;
    ReservedTopics* reserved = nullptr;    // null: no service is there
    PresenceObserver* presence = nullptr;  // null: nobody follows who is connected
  };
  explicit Shard(const Setup& setup);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Introduces all shards to each other, in order of their ids, this one included. Before start.
  void join(std::span<const std::unique_ptr<Shard>> shards);
  // Starting on a store that has data, in this order: all shards recover() (each may do so on a
  // thread of its own), then all bring_members(), then all introduce(), then all resume().
  // Errors: unavailable (the store fails or is damaged).
  Result<void> recover() { return keeper_.load(); }
  void bring_members(std::span<const std::unique_ptr<Shard>> shards);
  void introduce(std::span<const std::unique_ptr<Shard>> shards);
  void resume();

  // Takes over a connection on which MQTT is spoken: a socket of this loop, or a stream with what
  // has arrived on it and was not used and what it has proved. It counts in load() since
  // load_counter() was raised for it. On the loop's thread.
  void adopt(const runtime::Accepted& accepted);
  void adopt(runtime::StreamPtr stream, ByteView unread,
             std::shared_ptr<const Proof> proof = nullptr);

  ShardMailbox& mailbox() { return mailbox_; }
  // Connections, for the acceptor to find the least loaded. Any thread.
  [[nodiscard]] int load() const { return load_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::atomic<int>& load_counter() { return load_; }

  // Publishes from inside the server (wills, shadows; later rules).
  void publish(const message::Message& message) override;
  // The same for somebody who is to be told what became of it: once, on this loop's thread, also
  // before this returns; with QoS 1 and 2 when all who must have it durably have it, or one of them
  // has refused (≥ 0x80). Who it is told to outlives the shard, or does not mind.
  using Told = std::function<void(mqtt::Reason)>;
  void publish(const message::Message& message, Told told);
  // What new subscriptions get under `$SYS` from now on, as if it were retained; null: nothing.
  void show(std::shared_ptr<const StatusTopics> topics) { status_ = std::move(topics); }
  // Filters under `$SYS` that somebody here wants. 0 on all shards: nobody takes what is published.
  [[nodiscard]] int status_filters() const { return status_filters_; }
  // Tells the observer of presence of everyone whose home is here and who is connected, some in
  // each turn; in between changes are told as ever. `then`: as Keeper has it.
  void tell_connected(std::function<void()> then) { keeper_.tell_connected(std::move(then)); }
  // Ends the connection of a client id whose slot is here (DISCONNECT 0x98), as Keeper has it.
  void dismiss(const std::string& client_id, const Keeper::Dismissal& how, Keeper::Dismissed told) {
    keeper_.dismiss(client_id, how, std::move(told));
  }
  // Asks the authenticator again about the connections of these principals, some in each turn: they
  // go on with what they may do now, or are told 0x87 and end. One whose CONNECT is being decided
  // is asked about once it is.
  void recheck(const Principals& changed);
  // The same for those whose Identity::until has passed, at most a second after it; a minute if the
  // authenticator's clock was set.
  void ask_again(WallTime until);
  // Takes no more from clients; once every shard has come so far, so that what was acknowledged is
  // where it goes to, tells each that the server stops. drained() is true when their output is
  // taken. To be called on all shards.
  void shut_down();
  [[nodiscard]] bool drained() const;

  // ---- for an administrator (shard_admin.cc)
  void list(ClientPage& page) const;
  void list(SubscriptionPage& page) const;
  // What this shard's keeper knows of a client id whose slot is here.
  [[nodiscard]] ClientRecord record_of(const std::string& client_id) const {
    return keeper_.record_of(client_id);
  }
  // Nothing if that connection has ended.
  [[nodiscard]] std::optional<ClientView> view(const ConnectionRef& ref);
  void list(const ConnectionRef& ref, SubscriptionPage& page);
  bool kick(const ConnectionRef& ref);
  // From now on notes the packets of connections with that client id; of one that is there already
  // once watch() names it. take_trace() gets what was noted.
  void trace(const std::string& client_id);
  void watch(const ConnectionRef& ref);
  std::vector<TracedPacket> take_trace(const std::string& client_id, std::uint64_t& dropped);
  void end_trace(const std::string& client_id);

  // A copy of the counters, gauges brought up to date.
  Counters sample();

 private:
  friend class Connection;
  static constexpr int source_shift = 56;  // of a message id: the shard that gave it out

  bool on_turn() override;
  [[nodiscard]] bool has_mail() const override;

  // ---- connections
  struct Place {
    std::unique_ptr<Connection> connection;
    std::uint32_t serial = 0;
  };
  Connection* make_connection();
  Connection* find(const ConnectionRef& ref);
  // Frees the connection at the end of the turn.
  void retire(const ConnectionRef& ref);
  // Shards share the server's number of clients evenly, as the acceptor shares the connections.
  [[nodiscard]] bool may_admit() const {
    const int most = profile_.connections_max;
    return most == 0 || admitted_ < std::max(1, most / static_cast<int>(outboxes_.size()));
  }
  // Ends the connection later in this turn, outside of any delivery.
  void doom(const ConnectionRef& ref) { doomed_.push_back(ref); }

  // ---- mail
  void handle(Envelope& envelope);
  void handle_data(ShardId from, Data& data);
  void handle_deliveries(ShardId from, Deliveries& deliveries);
  void handle_kept(ShardId from, const Kept& kept);
  void handle_interest(ShardId from, const InterestChange& change);
  void handle_interest_ack(ShardId from, const InterestAck& ack);
  void return_block(ShardId from, std::unique_ptr<Block> block);
  void send(ShardId to, Mail mail) override;
  void send_home(const std::string& client_id, Mail mail);
  [[nodiscard]] ShardId owner_of(partition::SlotId slot) const {
    return static_cast<ShardId>(partition::thread_of(slot, static_cast<int>(outboxes_.size())));
  }
  // A connection has ended. One with a will to publish says so only after all that it published
  // before has been handed over, so that the will cannot overtake it.
  void release(Release release);
  void send_late_releases();

  // ---- for the keeper
  void deliver(const ConnectionRef& to, const Delivery& delivery) override;
  std::uint64_t interest_changed(std::string_view filter, bool wanted) override;
  void share_interest(std::string_view filter, std::uint32_t group, bool wanted) override;
  void answer(ShardId to, Change change) override;
  void answer(ShardId to, ShareJoined joined) override;
  void join(std::vector<ShareJoin> joins, ShardId to, Change change) override;
  void handle_joined(const ShareJoined& joined);
  [[nodiscard]] std::vector<std::uint64_t> seen() const override;
  void changed() override { ++generation_; }
  bool forward(const message::Message& message, const Forwarded& forwarded) override;
  std::string wanted_event(EventKind kind, std::string_view client_id) override;
  // Cheap: it may be that somebody wants events, of whatever.
  [[nodiscard]] bool may_tell_events() const;
  void read_page(const PageRequest& request) override;
  void read_retained(const RetainedRequest& request) override;
  void request_sync() override { syncer_.request(id_); }
  void broken(const Error& error) override;
  [[nodiscard]] WallTime wall_now() const override { return loop_.wall_now(); }
  [[nodiscard]] Instant now() const override { return loop_.now(); }
  // An acknowledgement of a persistent session's client: to its home, in batches.
  void acknowledge(const Acks::Item& item);
  // The same of what a share group has given, to the group's home.
  void acknowledge(const Acks::Shared& shared) override;
  // A delivery found its connection gone.
  void give_back(const ConnectionRef& to, const Delivery& delivery);
  void flush_acks(ShardId to);
  void report_lanes();
  void arm_expiry();
  void arm_pace();

  void renew_connections();
  void look_at_ends();
  [[nodiscard]] bool may_renew() const {
    return !renewing_.empty() && renewals_open_ < limits::rechecks_open_max;
  }

  // ---- overload (shard_pressure.cc)
  void look_at_pressure();
  void enter(Pressure pressure);
  void relieve();  // every tick while there is pressure
  // A turn has done as much as it should, or another shard cannot follow: heavy publishers wait.
  [[nodiscard]] bool is_full() const { return work_ > limits::work_per_turn || lane_late_; }
  [[nodiscard]] bool is_alert() const {
    return pressure_ != Pressure::none || busy_ || work_ > limits::work_per_turn;
  }
  void take_mail();
  void let_go_on();

  // ---- routing
  void refresh(Route& route);
  Route& route(std::string_view topic);
  // Where a published message has not arrived yet.
  struct Published {
    topic::OwnerMask behind = 0;  // shards to which it could not be handed over
    topic::OwnerMask kept = 0;    // keepers that must make it durable; this shard's own included
    mqtt::Reason refused = mqtt::Reason::success;  // by this shard's own keeper
    [[nodiscard]] bool done() const { return (behind | kept) == 0; }
  };
  // Delivers here, keeps here, mails to other shards.
  Published publish(const message::Message& message, Route& route, const Connection* origin,
                    const Forwarded* forwarded = nullptr);
  Published publish_kept(const message::Message& message, const Route& route,
                         topic::OwnerMask& threads, const Forwarded* forwarded);
  // Settles one obligation of the ticket for each shard that `published` names, as it is met.
  static int obligations(const Published& published);
  void await(const Published& published, const ConnectionRef& ref, Tickets::Number ticket);
  void settle(const ConnectionRef& ref, Tickets::Number ticket, mqtt::Reason reason);
  [[nodiscard]] bool behind() const { return behind_; }
  void deliver_here(const message::Message& message, const Route& route, const Connection* origin);
  struct Subscribed {
    bool existed = false;  // the session had it before
    bool fresh = false;    // nobody else here had
  };
  Subscribed subscribe(Connection& connection, std::string_view filter, topic::Options options);
  bool unsubscribe(Connection& connection, std::string_view filter);
  // Searches all filters of the session: for the rare moment when its limit is reached.
  bool is_subscribed(Connection& connection, std::string_view filter);
  void unsubscribe_all(Connection& connection);
  std::uint64_t interest_changed(std::string_view filter, bool wanted, bool kept);
  // A filter came or went for the connections here, or for the keeper's sessions.
  void note_filter(std::string_view filter, bool wanted) {
    if (filter.starts_with(status_prefix)) status_filters_ += wanted ? 1 : -1;
    if (may_want_events(filter)) event_filters_.fetch_add(wanted ? 1 : -1);
  }
  // Answers a SUBSCRIBE when every shard has taken the interest, and every share group its member;
  // then what is retained is replayed.
  void suback(Connection& connection, Replay replay, std::vector<ShareJoin> joins = {});
  void send_group(const std::string& filter, Mail mail) {
    send(owner_of(partition::slot_of(partition::KeyKind::share_group, filter)), std::move(mail));
  }
  // Calls the connection's open() when every shard has taken the interest of its session.
  void await_interest(Connection& connection);
  void release_waiting();
  // Changes of interest of a turn are acknowledged when what was published before is handed over.
  void send_interest_acks();
  void ready_interest_acks();
  // Numbers a change that changes nothing, so that its acknowledgement can be waited for.
  std::uint64_t interest_barrier();
  // What seen() could not tell, once all have acknowledged interest `sequence`.
  void complete(std::vector<std::uint64_t>& seen, std::uint64_t sequence) const;
  // Message ids from which on each shard's messages come here live, if interest `sequence` is new.
  // `own`: of this shard's, which took it at once.
  [[nodiscard]] std::vector<std::uint64_t> live_from(std::uint64_t sequence,
                                                     std::uint64_t own) const;
  void flush_outboxes();
  void handle_last_call();

  const ShardId id_;
  const Profile& profile_;
  runtime::Loop& loop_;
  Random& random_;
  const std::uint64_t seed_;
  ShardMailbox mailbox_;
  std::atomic<int> load_{0};

  std::vector<Place> places_;
  std::vector<std::uint32_t> free_places_;
  std::vector<std::unique_ptr<Connection>> retired_;
  std::vector<ConnectionRef> doomed_, parked_, unholding_;
  std::deque<ConnectionRef> renewing_;  // the authenticator is to be asked about them again
  int renewals_open_ = 0;               // it has not answered
  ShardRates rates_;
  int unauthenticated_ = 0;
  int established_ = 0;
  int admitted_ = 0;  // established, or their CONNECT is being decided
  bool stopping_ = false;
  std::size_t last_calls_ = 0;  // shards that have stopped taking, this one among them

  std::map<std::string, std::shared_ptr<Trace>, std::less<>> traces_;  // by client id

  topic::SubscriptionIndex index_;
  topic::InterestDirectory interest_;
  Routes routes_;
  std::uint64_t generation_ = 1;  // of index_ and interest_ together
  std::shared_ptr<const StatusTopics> status_;
  int status_filters_ = 0;
  // Filters here that events may match, and those of all shards: what others know by its hash alone
  // says nothing of that. Interest is acknowledged behind it.
  std::atomic<int> event_filters_{0};
  std::vector<const std::atomic<int>*> event_filters_of_;
  Encoder encoder_;
  std::uint64_t next_message_id_;
  std::uint64_t next_request_ = 1;

  // Own interest: changes are numbered; each other shard acknowledges in order.
  struct WaitingSuback {
    ConnectionRef connection;
    Replay replay;
  };
  struct WaitingAnswer {
    ShardId to;
    Change change;
  };
  struct WaitingOpen {
    ConnectionRef connection;
  };
  struct WaitingJoined {
    ShardId to;
    ShareJoined joined;
  };
  struct Waiting {
    std::uint64_t sequence;
    std::variant<WaitingSuback, WaitingAnswer, WaitingOpen, WaitingJoined> what;
  };
  // What waits until share groups have answered.
  struct Joining {
    std::size_t left;
    std::variant<WaitingSuback, WaitingAnswer> what;
  };
  void refuse_member(WaitingSuback& waiting, const ShareJoined& joined);
  void send_joins(std::vector<ShareJoin> joins, std::variant<WaitingSuback, WaitingAnswer> what);
  std::unordered_map<std::uint64_t, Joining> joining_;

  std::uint64_t interest_sent_ = 0;
  std::deque<Waiting> waiting_;

  // What this shard knows of another one.
  struct Peer {
    std::uint64_t interest_acked = 0, acked_at = 0;  // the next message id when it was
    InterestAck ack_due, ack_ready;                  // sequence 0: none
    std::deque<std::pair<std::uint64_t, std::uint64_t>> live_from;  // (interest, message id)
    std::uint64_t seen = 0;      // the id behind that of its last message here
    std::uint64_t position = 0;  // messages taken from its lane
    std::vector<Kept::Refused> refused;
    bool kept_due = false;  // its lane's position is to be reported
  };
  std::vector<Peer> peers_;  // by shard; own: the lane of what is published and kept here

  struct WaitingHandover {
    std::uint64_t position;  // Outbox::handed_over() that settles it
    ConnectionRef connection;
    Tickets::Number ticket;
  };
  struct WaitingKept {
    std::uint64_t position;  // Kept::position that settles it
    ConnectionRef connection;
    Tickets::Number ticket;
    std::optional<Forwarded> forwarded;  // instead of a ticket
  };
  std::vector<std::unique_ptr<Outbox>> outboxes_;                        // by shard; own: null
  std::vector<std::deque<WaitingHandover>> handovers_;                   // by shard
  std::vector<std::deque<WaitingKept>> waiting_kept_;                    // by shard, own included
  std::map<std::pair<std::uint8_t, std::uint64_t>, int> forwards_left_;  // obligations of each
  // What was published from inside and is awaited, in place of a connection's tickets.
  static constexpr std::uint32_t inside = UINT32_MAX;  // a ConnectionRef's index
  struct Awaited {
    int obligations;
    mqtt::Reason reason;
    Told told;
  };
  std::unordered_map<std::uint64_t, Awaited> awaited_;
  std::vector<Acks> acks_;  // by shard
  std::vector<Release> late_releases_, ready_releases_;
  bool acks_due_ = false, acks_ready_ = false;  // of interest
  std::vector<ShardMailbox*> mailboxes_;        // by shard, for answers of the pool
  std::vector<Envelope> mail_, self_mail_, self_batch_;
  std::size_t mail_at_ = 0;  // of mail_: what is before it is handled
  bool behind_ = false;      // an outbox is blocked: publishers wait
  bool mail_out_ = false;    // an outbox has something

  Authenticator& authenticator_;
  ReservedTopics* const reserved_;
  // How much is held here, and everywhere.
  std::atomic<std::uint64_t> held_{0};  // of all shards' use; written by this one
  std::vector<const std::atomic<std::uint64_t>*> held_by_;
  const Watermarks watermarks_;
  Pressure pressure_ = Pressure::none;
  std::size_t work_ = 0;    // deliveries of this turn's publishers
  bool busy_ = false;       // a turn was full not long ago
  bool lane_late_ = false;  // an outbox is
  Instant busy_until_{};
  std::deque<ConnectionRef> yielding_;
  std::uint64_t queued_bytes_ = 0;  // in the queues of clean sessions
  std::size_t qos0_output_max_ = limits::output_bytes_max;
  std::vector<ConnectionRef> withholding_;
  Instant stalls_looked_at_{};
  class Relief final : public runtime::Timer {
   public:
    explicit Relief(Shard& shard) : shard_(shard) {}

   private:
    void on_timer() override { shard_.relieve(); }
    Shard& shard_;
  };
  Relief relief_{*this};

  partition::Syncer& syncer_;
  runtime::Pool& pool_;
  store::Store& store_;
  const std::uint64_t run_;
  std::function<void(const Error&)> on_broken_;

  // Wakes the keeper when a session or a will is due.
  class Expiry final : public runtime::Timer {
   public:
    explicit Expiry(Shard& shard) : shard_(shard) {}
    WallTime armed_for;

   private:
    void on_timer() override;
    Shard& shard_;
  };
  Expiry expiry_{*this};
  // Wakes it when a rate lets something out.
  class Pace final : public runtime::Timer {
   public:
    explicit Pace(Shard& shard) : shard_(shard) {}
    Instant armed_for;

   private:
    void on_timer() override { shard_.keeper_.wake(); }
    Shard& shard_;
  };
  Pace pace_{*this};

  // Wakes when the verdict on some connection does not hold any longer.
  class Ends final : public runtime::Timer {
   public:
    explicit Ends(Shard& shard) : shard_(shard) {}
    WallTime next = WallTime::never();

   private:
    void on_timer() override { shard_.look_at_ends(); }
    Shard& shard_;
  };
  Ends ends_{*this};

  // Scratch, reused by every connection.
  mqtt::Incoming incoming_;
  Buffer answers_;
  std::vector<topic::Subscription> matched_;
  mqtt::SubscribeAck subscribe_ack_;
  Counters counters_;
  Keeper keeper_;
  LogLimiter log_limiter_{10};
};

}  // namespace gnomon::broker
