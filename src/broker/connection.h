// Connection: one MQTT client on the wire.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "broker/authenticator.h"
#include "broker/counters.h"
#include "broker/delivery.h"
#include "broker/encoder.h"
#include "broker/inspect.h"
#include "broker/mail.h"
#include "broker/owned_publish.h"
#include "broker/rate.h"
#include "broker/reserved_topics.h"
#include "broker/retained.h"
#include "broker/routes.h"
#include "broker/session.h"
#include "broker/tickets.h"
#include "broker/trace.h"
#include "mqtt/connection.h"
#include "runtime/loop.h"

namespace gnomon::broker {

class Shard;

// Connection: the protocol of one client, from accepted socket to release of its client id.
//   connecting → (CONNECT) → claiming → (Verdict, Grant) → established → ended
// What arrives while claiming is kept, bounded, and handled after the grant.
// Owner:   its shard, which also frees it: never inside a call of it.
// Threads: the shard's.
class Connection final : public runtime::StreamHandler, private runtime::Timer {
 public:
  Connection(Shard& shard, ConnectionRef ref);
  ~Connection() override = default;

  void open(runtime::StreamPtr stream, std::shared_ptr<const Proof> proof = nullptr);
  // Input that somebody else has read.
  void take(ByteView bytes) { on_bytes(bytes); }

  // The authenticator has answered. False: the connection has ended.
  bool authenticated(Verdict verdict);

  // Its identity is to be looked at again, soon. False: nobody has let it in yet, or that is to be
  // done already.
  bool note_renewal();
  [[nodiscard]] bool has_proof() const { return proof_ != nullptr; }
  void renew();
  // The answer to the question with this number. Later ones make it void.
  void renewed(std::uint32_t number, Verdict verdict);

  // ---- from home
  void granted(Grant& grant);
  void denied(mqtt::Reason reason);
  void evicted(const Evict& evict);

  // ---- from the shard
  // Sends a message to this receiver, queues it, or drops it and counts why. Never ends the
  // connection, so that the routes being walked stay as they are.
  // `ruling`: what is remembered of this receiver and the message's topic.
  void deliver(Encoder& encoder, const Terms& terms, std::span<const std::uint32_t> identifiers,
               Ruling& ruling);
  // `filters`: of each reason, where somebody wants to hear of it; else none.
  void suback(const mqtt::SubscribeAck& ack, std::vector<std::string> filters = {});
  // One obligation of a ticket is met, or has failed.
  void settle(Tickets::Number ticket, mqtt::Reason reason = mqtt::Reason::success);
  // Every shard knows what the persistent session wants: CONNACK.
  void open_session();
  // Every shard knows of new subscriptions: SUBACK, and what is retained for them.
  void replay(Replay replay);
  // A share group has as many members as it may; the SUBACK follows.
  void group_refused(const std::string& filter);
  void replayed(RetainedPage& page);

  // ---- from the home of its persistent session
  void deliver_kept(const Delivery& delivery);
  void changed(Change& change);

  // A service has answered what was published to a reserved topic.
  void answered(const ReservedAnswer& answer);

  // The shard is no longer behind: go on with what was kept.
  void unpark();
  // ---- overload (connection_pressure.cc)
  // Acknowledges what was withheld: all of it, or as much as its fair share allows.
  enum class Relief : bool { share, all };
  void relieve(Relief relief);
  // Whether it has taken nothing for so long that it must go. Asked once a second under pressure.
  bool stalls();
  // Goes on after it has yielded.
  void go_on();
  // Goes on with PUBLISHes that were held.
  void unhold();

  // The server stops: DISCONNECT 0x8B, close when flushed.
  void shut_down();
  void end_slow();

  // ---- for an administrator (shard_admin.cc)
  [[nodiscard]] ClientView view() const;
  void list(SubscriptionPage& page);
  // DISCONNECT 0x98; its will is published.
  void kick();
  void watch(std::shared_ptr<Trace> trace);

  [[nodiscard]] const ConnectionRef& ref() const { return ref_; }
  Session& session() { return session_; }
  [[nodiscard]] const std::string& principal() const { return principal_; }  // empty: not known yet
  [[nodiscard]] bool established() const { return state_ == State::established; }
  [[nodiscard]] WallTime until() const { return until_; }  // as Identity has it
  [[nodiscard]] bool waiting_for_output() const { return stream_ && stream_->pending() > 0; }

 private:
  enum class State : std::uint8_t { connecting, claiming, established, ended };
  struct PendingConnect {
    std::unique_ptr<Claim> claim;  // until it is sent: while nobody has said who this is
    std::uint32_t asked_expiry_seconds = 0;
    std::uint32_t expiry_seconds = 0;  // as it is kept
    bool assigned_id = false;
    bool session_present = false;
    bool changed_keep_alive = false;
    bool stale = false;  // what the verdict rests on has changed while it was awaited
  };
  // While there is pressure.
  struct Pressed {
    struct Withheld {
      Tickets::Number ticket;
      std::int64_t bytes;
    };
    Rate share;
    std::deque<Withheld> withheld;
    std::uint32_t progress = 0;  // when it was looked at last
    Instant since{};             // it has not changed; 0: it takes what there is
  };
  // PUBLISHes that were read and wait, so that what stands behind them is seen.
  struct Held {
    std::deque<OwnedPublish> publishes;
    std::size_t bytes = 0;  // of all that were ever here
    bool full = false;      // nothing further is read
    bool due = false;       // the shard will call unhold()
  };
  // What was sent with QoS 1 and is not acknowledged, where such is sent again.
  struct Resending final : runtime::Timer {
    struct Sent {
      OwnedPublish publish;
      Instant first, due;
      WallTime expires;  // 0: never
    };
    explicit Resending(Connection& of) : owner(of) {}
    void on_timer() override { owner.resend(); }
    Connection& owner;
    std::deque<Sent> sent;  // not empty; by `due`
    std::size_t bytes = 0;
  };
  // What new subscriptions are still to get of what is retained, one SUBSCRIBE after the other.
  struct Replays {
    std::deque<Replay> waiting;
    int subscribing = 0;                   // SUBSCRIBEs that are not in `waiting` yet
    std::unordered_set<std::string> live;  // topics that have arrived live meanwhile
  };

  void on_bytes(ByteView bytes) override;
  void on_drained() override;
  void on_ended(runtime::Ended why) override;
  void on_timer() override;

  // ---- shard_trace.cc: only while somebody watches a client of this shard
  void trace_received(mqtt::Event event);
  void trace_sent(ByteView packets);
  // What was appended to the output since it held `before` bytes.
  void trace_output(std::size_t before) { trace_sent(stream_->output().view().subspan(before)); }

  void process(ByteView in);
  void flush_answers();
  // Handle one packet; false: the connection has ended.
  bool handle(mqtt::Event event);
  // ---- connection_connect.cc
  bool on_connect(const mqtt::Connect& connect);
  bool authenticate(const mqtt::Connect& connect);
  // What is known of it at any time; a CONNECT says more.
  [[nodiscard]] Credentials credentials() const;
  // Takes what it may do from now on, and until when.
  void use(const Identity& identity);
  void tell_groups();
  void resubscribe(const KeptGrant& kept);
  [[nodiscard]] bool may_publish_will() const {
    return !permissions_ || permissions_->may_publish(will_->topic, will_->retain);
  }
  // ---- connection_profile.cc: what the profile allows beyond the protocol
  [[nodiscard]] const char* check_client_id(std::string_view client_id) const;
  [[nodiscard]] bool allows_topic(std::string_view topic) const;
  [[nodiscard]] bool allows_filter(std::string_view filter) const;
  [[nodiscard]] std::uint16_t keep_alive_of(const mqtt::Connect& connect) const;
  [[nodiscard]] std::uint32_t expiry_of(std::uint32_t seconds) const;
  void throttle(std::size_t bytes);
  bool refuse_excess(const mqtt::Publish& publish);

  // ---- connection_pressure.cc
  [[nodiscard]] bool exceeds_share(const mqtt::Publish& publish, const Route& route);
  bool refuse_overload(const mqtt::Publish& publish);
  void withhold(Tickets::Number ticket, const mqtt::Publish& publish, const Route& route);
  Pressed& pressed();
  [[nodiscard]] bool must_hold() const {
    return tickets_ && tickets_->size() >= shard_receive_maximum();
  }
  [[nodiscard]] std::size_t shard_receive_maximum() const;
  void yield();
  void hold(const mqtt::Publish& publish);
  bool publish_held();
  void drop_held();
  [[nodiscard]] bool reads() const {
    return !parked_ && !yielding_ && !throttled_ && !(held_ && held_->full);
  }

  [[nodiscard]] mqtt::Reason check_will(const mqtt::Will& will) const;
  [[nodiscard]] std::string encoded_will(const mqtt::Will& will) const;
  bool on_publish(const mqtt::Publish& publish);
  bool refuse_publish(const mqtt::Publish& publish, mqtt::Reason reason, const char* what,
                      Count count);
  // ---- connection_reserved.cc
  [[nodiscard]] const char* check_reserved(const mqtt::Publish& publish) const;
  bool refuse_reserved(const mqtt::Publish& publish, const char* what);
  bool publish_reserved(const mqtt::Publish& publish);
  void ask_service(const mqtt::Publish& publish, Tickets::Number ticket);
  [[nodiscard]] bool may_retain(std::string_view topic) const {
    return !permissions_ || permissions_->may_publish(topic, true);
  }
  // What it may not receive is dropped, and counted; what a share group gives is declined, and goes
  // to somebody else. Without a ruling the last topic is remembered.
  [[nodiscard]] bool may_receive(std::string_view topic, Ruling& ruling) {
    return counted(may_take(topic, ruling));
  }
  [[nodiscard]] bool may_receive(std::string_view topic) { return counted(may_take(topic)); }
  [[nodiscard]] bool may_take(std::string_view topic, Ruling& ruling);
  [[nodiscard]] bool may_take(std::string_view topic);
  bool counted(bool allowed);
  bool publish_kept(const mqtt::Publish& publish, const message::Message& message, bool late);
  bool is_duplicate(const mqtt::Publish& publish);
  bool acknowledge(std::uint16_t packet_id, std::uint8_t qos, mqtt::Reason reason);
  bool on_ack(const mqtt::Ack& ack);
  bool on_pubrel(std::uint16_t packet_id);
  bool on_subscribe(const mqtt::Subscribe& subscribe);
  bool on_unsubscribe(const mqtt::Unsubscribe& unsubscribe);
  bool subscribe_kept(const mqtt::Subscribe& subscribe);
  bool unsubscribe_kept(const mqtt::Unsubscribe& unsubscribe);
  [[nodiscard]] mqtt::Reason check_entry(const mqtt::SubscribeEntry& entry) const;
  [[nodiscard]] topic::Options options_of(const mqtt::SubscribeEntry& entry,
                                          std::uint32_t identifier) const;
  [[nodiscard]] mqtt::Reason subscribe_one(const mqtt::SubscribeEntry& entry,
                                           std::uint32_t identifier, Replay& replay,
                                           std::vector<ShareJoin>& joins);
  [[nodiscard]] bool may_subscribe_more(bool existed) const;
  mqtt::Reason join_group(const mqtt::SubscribeEntry& entry, std::uint32_t identifier,
                          std::vector<ShareJoin>& joins);
  mqtt::Reason leave_group(std::string_view filter);
  void leave_groups();
  void expect_replay(Replay& replay);
  Route* route_to(std::string_view topic);

  void send(const Encoder::Layout& layout, std::uint16_t packet_id, std::uint8_t first_byte_flags);
  void deliver_message(const Delivery& delivery);
  void skip_kept(const Delivery& delivery, bool declined);
  void decline(const ShareRef& share, std::uint8_t qos, ByteView message);
  void deliver_shared(const Delivery& delivery);
  void note_shared(std::uint16_t packet_id, const ShareRef& share);
  void finish_shared(std::uint16_t packet_id);
  void note_live(std::string_view topic);
  void next_replay();
  void find_status(Replay& replay);
  void ask_keepers(Replay& replay);
  void send_replay();
  bool replay_one(const Replay& replay, const RetainedPage::Entry& entry);
  void send_slowly(mqtt::Publish& publish, std::span<const std::uint32_t> identifiers);
  void enqueue(const message::Message& message, std::span<const std::uint32_t> identifiers,
               std::uint8_t qos, bool retain, const ShareRef& share = {});
  void pump_queue();
  // ---- connection_resend.cc
  [[nodiscard]] bool resends() const;
  void note_sent(const mqtt::Publish& publish);
  void forget_sent(std::uint16_t packet_id);
  void drop_sent();
  void resend();
  [[nodiscard]] bool window_open() const;
  void close_tickets();

  void park();
  void arm_keep_alive();
  // Says why, in MQTT 5, and ends. Always returns false.
  bool disconnect(mqtt::Reason reason, const char* what, Count count);
  enum class WillFate : bool { drop, publish };
  bool disconnect(mqtt::Reason reason, const char* what, Count count, DisconnectReason why,
                  WillFate fate = WillFate::publish);
  bool refuse_connect(mqtt::Reason reason, const char* what, Count count);
  // `why`: as it is told of one that is established.
  void end(Count count, WillFate fate, DisconnectReason why = DisconnectReason::connection_lost);
  void tell_failure(std::string_view principal);

  Shard& shard_;
  runtime::StreamPtr stream_;
  mqtt::Connection machine_;
  Session session_;
  std::string client_id_, principal_;
  std::shared_ptr<const Proof> proof_;              // of the transport; null: none
  std::shared_ptr<const Permissions> permissions_;  // null: it may do everything
  std::uint32_t permissions_number_ = 0;            // another one for each, never 0 when in use
  struct Received {
    std::string topic;
    Ruling ruling;
  };
  std::unique_ptr<Received> received_;  // the last topic but those of routes
  Route* route_ = nullptr;              // of the last topic published to
  std::uint64_t route_epoch_ = 0;       // in which route_ was taken
  bool route_allowed_ = true;           // by permissions_
  bool timed_ = false;                  // permissions_ change with time
  struct Rated {
    Rate publishes_in, publishes_out, bytes_in;
  };
  Instant last_received_{};
  std::unique_ptr<Rated> rated_;             // null: no rates are limited
  std::shared_ptr<Trace> trace_;             // null: nobody watches this client
  std::unique_ptr<Tickets> tickets_;         // null: none open
  std::unique_ptr<Pressed> pressed_;         // null: nothing to remember
  std::unique_ptr<Held> held_;               // null: none
  std::unique_ptr<Resending> resending_;     // null: none
  std::unique_ptr<Replays> replays_;         // null: none
  std::unique_ptr<PendingConnect> pending_;  // until CONNACK
  struct Will {
    std::string topic;
    bool retain;
  };
  std::unique_ptr<Will> will_;  // null: it has left none
  std::uint64_t basis_ = 0;
  WallTime until_ = WallTime::never();
  Generation generation_ = 0;
  ConnectionRef ref_;
  std::uint32_t renewals_ = 0;  // asked for; the last one counts
  std::uint16_t keep_alive_seconds_ = 0;
  State state_ = State::connecting;
  bool parked_ = false;
  bool throttled_ = false;   // not read until on_timer()
  bool plain_ = true;        // receives packets as encoded for all: it allows no topic aliases
  bool persistent_ = false;  // Credentials::persistent
  bool doomed_ = false;
  bool renewal_due_ = false;
  bool heavy_ = false;     // publishes more than its share while its shard is busy
  bool yielding_ = false;  // waits for its turn
  std::optional<std::uint32_t> last_expiry_;  // DISCONNECT named another one
};

}  // namespace gnomon::broker
