// Shard: one core's share of the broker.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "broker/connection.h"
#include "broker/counters.h"
#include "broker/encoder.h"
#include "broker/homes.h"
#include "broker/mail.h"
#include "broker/profile.h"
#include "broker/routes.h"
#include "runtime/loop.h"
#include "store/store.h"
#include "topic/index.h"
#include "topic/interest.h"

namespace gnomon::broker {

// Shard: owns its connections, matches topics, delivers; runs the home slots that are mapped to it.
// It never blocks and never touches disk.
// Threads: its loop's, but for mailbox() and load().
class Shard final : public runtime::TurnHandler {
 public:
  // `seed` keys the hashes of filters: the same in all shards of a server.
  struct Setup {
    ShardId id = 0;
    std::uint64_t seed = 0;
    const Profile& profile;
    runtime::Loop& loop;
    store::Store& store;
    Random& random;
  };
  explicit Shard(const Setup& setup);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Introduces all shards to each other, in order of their ids, this one included. Before start.
  void join(std::span<const std::unique_ptr<Shard>> shards);

  ShardMailbox& mailbox() { return mailbox_; }
  // Connections, for the acceptor to find the least loaded. Any thread.
  [[nodiscard]] int load() const { return load_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::atomic<int>& load_counter() { return load_; }

  // Publishes from inside the server (wills; later rules, shadows, HTTP).
  void publish(const message::Message& message);
  // Tells every client that the server stops. drained() is true when their output is taken.
  void shut_down();
  [[nodiscard]] bool drained() const;
  // A copy of the counters, gauges brought up to date.
  Counters sample();

 private:
  friend class Connection;

  bool on_turn() override;
  [[nodiscard]] bool has_mail() const override;

  // ---- connections
  struct Place {
    std::unique_ptr<Connection> connection;
    std::uint32_t serial = 0;
  };
  void adopt(const runtime::Accepted& accepted);
  Connection* find(const ConnectionRef& ref);
  // Frees the connection at the end of the turn.
  void retire(const ConnectionRef& ref);
  // Ends the connection later in this turn, outside of any delivery.
  void doom(const ConnectionRef& ref) { doomed_.push_back(ref); }

  // ---- mail
  void handle(Envelope& envelope);
  void handle_data(ShardId from, Data& data);
  void handle_interest(ShardId from, const InterestChange& change);
  void send(ShardId to, Mail mail);
  void send_home(const std::string& client_id, Mail mail);

  // ---- routing
  void refresh(Route& route);
  Route& route(std::string_view topic);
  // Delivers here and mails to other shards. Returns how many of those are behind.
  int publish(const message::Message& message, Route& route, const Connection* origin);
  // Settles one obligation of the ticket for each shard that is behind, once it is not.
  void await_handover(const Route& route, const ConnectionRef& ref, Tickets::Number ticket);
  [[nodiscard]] bool behind() const { return behind_; }
  void deliver_here(const message::Message& message, const Route& route, const Connection* origin);
  // Returns whether the subscription was new.
  void subscribe(Connection& connection, std::string_view filter, topic::Options options);
  bool unsubscribe(Connection& connection, std::string_view filter);
  // Searches all filters of the session: for the rare moment when its limit is reached.
  bool is_subscribed(Connection& connection, std::string_view filter);
  void unsubscribe_all(Connection& connection);
  void interest_changed(std::string_view filter, bool wanted);
  // Answers a SUBSCRIBE when every shard has taken the interest.
  void suback(Connection& connection, const mqtt::SubscribeAck& ack);
  void release_subacks();
  void flush_outboxes();

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
  std::vector<ConnectionRef> doomed_, parked_;
  int unauthenticated_ = 0;
  int established_ = 0;
  bool stopping_ = false;

  topic::SubscriptionIndex index_;
  topic::InterestDirectory interest_;
  Routes routes_;
  std::uint64_t generation_ = 1;  // of index_ and interest_ together
  Encoder encoder_;
  std::uint64_t next_message_id_ = 1;

  // Own interest: changes are numbered; each other shard acknowledges in order.
  struct WaitingSuback {
    std::uint64_t sequence;
    ConnectionRef connection;
    mqtt::SubscribeAck ack;
  };
  std::uint64_t interest_sent_ = 0;
  std::vector<std::uint64_t> interest_acked_;  // by shard
  std::vector<std::uint64_t> ack_due_;         // by shard: highest taken and not yet acknowledged
  std::deque<WaitingSuback> waiting_subacks_;

  struct WaitingHandover {
    std::uint64_t position;  // Outbox::handed_over() that settles it
    ConnectionRef connection;
    Tickets::Number ticket;
  };
  std::vector<std::unique_ptr<Outbox>> outboxes_;       // by shard; own: null
  std::vector<std::deque<WaitingHandover>> handovers_;  // by shard
  std::vector<Envelope> mail_, self_mail_, self_batch_;
  bool behind_ = false;    // an outbox is blocked: publishers wait
  bool mail_out_ = false;  // an outbox has something

  Homes homes_;
  std::vector<Addressed> home_mail_;

  // Scratch, reused by every connection.
  mqtt::Incoming incoming_;
  Buffer answers_;
  std::vector<topic::Subscription> matched_;
  mqtt::SubscribeAck subscribe_ack_;
  Counters counters_;
  LogLimiter log_limiter_{10};
};

}  // namespace gnomon::broker
