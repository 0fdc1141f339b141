// Test fixture: shards on the simulated network, and clients that speak through the client role of
// the connection machine. For tests of this module, and of what server
// plugs in.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "broker/authenticator.h"
#include "broker/shard.h"
#include "mqtt/connection.h"
#include "runtime/sim.h"
#include "store/lossy.h"
#include "store/memory.h"

namespace gnomon::broker::testing {

// What a client got, its strings its own.
struct Got {
  std::string topic, payload;
  std::uint8_t qos = 0;
  bool retain = false;
  std::uint16_t packet_id = 0;
  std::vector<std::uint32_t> identifiers;
  std::optional<std::uint32_t> expiry;
};

// Notes that somebody waits; Broker::sync() does it. For a store that is durable at once nobody
// does.
class DrivenSyncer final : public partition::Syncer {
 public:
  void request(int) override { requested = true; }
  bool requested = false;
};

// A thread may have run a task before the turn goes on that gave it, or long after.
class AnyTimePool final : public runtime::Pool {
 public:
  AnyTimePool(runtime::Loop& loop, std::uint64_t seed) : loop_(loop), random_(seed) {}
  void run(std::function<void()> task) override {
    if (random_.below(2) == 0) return task();
    loop_.post(std::move(task));
  }

 private:
  runtime::Loop& loop_;
  SeededRandom random_;
};

// Knows everybody, or does as the test says.
class TestAuthenticator final : public Authenticator {
 public:
  std::optional<Verdict> authenticate(const Credentials& credentials, Later later) override {
    return decide ? decide(credentials, std::move(later)) : Identity{"somebody", nullptr};
  }
  std::optional<Verdict> renew(const Credentials& credentials, std::string_view principal,
                               Later later) override {
    return decide_again ? decide_again(credentials, principal, std::move(later))
                        : authenticate(credentials, std::move(later));
  }
  [[nodiscard]] WallTime now() const override { return clock.now(); }
  ManualWallClock clock;
  std::function<std::optional<Verdict>(const Credentials&, Later)> decide;
  std::function<std::optional<Verdict>(const Credentials&, std::string_view, Later)> decide_again;
};

class Broker {
 public:
  // On a store in memory, or on one that a test can crash.
  explicit Broker(int count, std::uint64_t seed = 1, Profile given = {},
                  std::unique_ptr<store::LossyStore> on = nullptr,
                  ReservedTopics* reserved = nullptr, PresenceObserver* presence = nullptr)
      : profile(given),
        network(seed),
        random(seed),
        count_(count),
        seed_(seed),
        reserved_(reserved),
        presence_(presence) {
    lossy = on.get();
    store = on ? std::move(on) : store::make_memory_store();
    control = network.make_loop();
    start();
    listener = std::move(
        *control->listen({"127.0.0.1", 0}, [this](std::span<const runtime::Accepted> accepted) {
          for (const runtime::Accepted& connection : accepted) {
            const std::size_t i = next_shard++ % shards.size();
            shards[i]->load_counter().fetch_add(1);
            loops[i]->post([this, i, connection] { adopt(*loops[i], *shards[i], connection); });
          }
        }));
    control->start("control");
  }

  // A power cut between two turns, and the start after it, as the server starts. The test closes
  // its clients first: what they have not read by then is lost.
  void crash(Random& how) {
    shards.clear();
    pool.reset();
    pool_loop.reset();
    loops.clear();
    lossy->crash(how);
    start();
  }
  // What the syncer's thread does when somebody has asked for it. False: nobody has.
  bool sync() {
    if (!std::exchange(syncer.requested, false)) return false;
    if (!store->sync()) throw std::runtime_error("the store does not sync");
    for (auto& loop : loops) loop->wake();
    return true;
  }
  // Runs until nothing is left to do and nobody waits for a sync.
  void run() {
    do {
      network.run();
    } while (sync());
  }

  std::uint64_t total(Count which) {
    std::uint64_t sum = 0;
    for (auto& shard : shards) sum += shard->sample().get(which);
    return sum;
  }

  Profile profile;
  runtime::SimNetwork network;
  SeededRandom random;
  std::unique_ptr<store::Store> store;
  store::LossyStore* lossy = nullptr;  // `store`, if it is one
  DrivenSyncer syncer;
  TestAuthenticator authenticator;
  std::unique_ptr<runtime::Loop> control, pool_loop;
  std::unique_ptr<AnyTimePool> pool;
  std::vector<std::unique_ptr<runtime::Loop>> loops;
  std::vector<std::unique_ptr<Shard>> shards;
  std::unique_ptr<runtime::Listener> listener;
  std::size_t next_shard = 0;  // connections are dealt out in turn; a test may set it
  std::uint64_t runs = 0;
  std::shared_ptr<const Proof> proof;  // of those that connect

 private:
  // Until the shard has the stream.
  struct Unheard final : runtime::StreamHandler {
    void on_bytes(ByteView) override {}
    void on_ended(runtime::Ended) override {}
  };
  void adopt(runtime::Loop& loop, Shard& shard, const runtime::Accepted& connection) {
    if (!proof) return shard.adopt(connection);
    Unheard unheard;
    shard.adopt(loop.adopt(connection, unheard), {}, proof);
  }
  void start() {
    ++runs;
    syncer.requested = false;
    pool_loop = network.make_loop();
    pool = std::make_unique<AnyTimePool>(*pool_loop, seed_ + runs);
    for (int i = 0; i < count_; ++i) {
      loops.push_back(network.make_loop());
      shards.push_back(std::make_unique<Shard>(
          Shard::Setup{static_cast<ShardId>(i), count_, seed_, runs, profile, *loops.back(), *store,
                       syncer, *pool, random, authenticator,
                       [](const Error& error) {
                         throw std::runtime_error("the store is broken: " + error.message);
                       },
                       reserved_, presence_}));
    }
    for (auto& shard : shards) shard->join(shards);
    if (lossy != nullptr) {
      for (auto& shard : shards) {
        if (auto recovered = shard->recover(); !recovered) {
          throw std::runtime_error(recovered.error().message);
        }
      }
      for (auto& shard : shards) shard->bring_members(shards);
      for (auto& shard : shards) shard->introduce(shards);
      for (auto& shard : shards) shard->resume();
      for (auto& loop : loops) loop->wake();  // a thread begins with a turn
    }
    for (auto& loop : loops) loop->start("shard");
    pool_loop->start("pool");
  }

  int count_;
  std::uint64_t seed_;
  ReservedTopics* reserved_;
  PresenceObserver* presence_;
};

class Client {
 public:
  Client(Broker& broker, std::string id, mqtt::Version version = mqtt::Version::v5)
      : broker_(broker),
        id_(std::move(id)),
        link_(broker.network.connect(broker.listener->address())) {
    connect.version = version;
  }

  // To be filled before start(); client_id is set by it.
  mqtt::Connect connect;
  mqtt::Settings settings;

  void start() {
    connect.client_id = id_;
    machine_.connect(connect, out_);
    flush();
  }
  void subscribe(const std::string& filter, std::uint8_t qos = 0, std::uint32_t identifier = 0) {
    mqtt::Subscribe packet;
    packet.packet_id = next_id();
    packet.identifier = identifier;
    packet.entries.push_back({filter, qos, no_local, retain_as_published, 0});
    machine_.subscribe(packet, out_);
    flush();
  }
  void unsubscribe(const std::string& filter) {
    mqtt::Unsubscribe packet;
    packet.packet_id = next_id();
    packet.filters.push_back(filter);
    machine_.unsubscribe(packet, out_);
    flush();
  }
  void publish(const std::string& topic, const std::string& payload, std::uint8_t qos = 0) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.qos = qos;
    packet.retain = retain;
    packet.expiry_seconds = expiry;
    if (qos > 0) packet.packet_id = next_id();
    machine_.publish(packet, out_);
    flush();
  }
  void puback(std::uint16_t packet_id) {
    machine_.ack({mqtt::PacketType::puback, packet_id, mqtt::Reason::success, {}}, out_);
    flush();
  }
  void disconnect(mqtt::Reason reason = mqtt::Reason::success) {
    mqtt::Disconnect packet;
    packet.reason = reason;
    machine_.disconnect(packet, out_);
    flush();
  }
  void drop() { link_->close(true); }
  runtime::SimClient& link() { return *link_; }
  void send_raw(ByteView bytes) { link_->send(bytes); }

  // Takes what has arrived; acknowledges QoS 1 unless told not to.
  void poll() {
    Buffer& received = link_->received();
    const Buffer bytes = std::move(received);
    received = Buffer();
    ByteView in = bytes.view();
    for (;;) {
      const mqtt::Event event = machine_.next(in, incoming_, out_);
      if (event == mqtt::Event::none || !take(event)) break;
    }
    flush();
  }
  [[nodiscard]] bool closed() const { return link_->closed_by_server(); }

  bool retain = false;  // of what it publishes
  bool no_local = false, retain_as_published = false, acknowledge = true;
  std::optional<std::uint32_t> expiry;
  std::optional<mqtt::Reason> connack, disconnected;
  bool session_present = false;
  std::vector<mqtt::Reason> subacks, unsubacks, pubacks;
  std::vector<Got> got;

 private:
  std::uint16_t next_id() { return static_cast<std::uint16_t>(++ids_); }
  void flush() {
    if (!out_.empty()) link_->send(out_.view());
    out_.clear();
  }
  bool take(mqtt::Event event) {
    switch (event) {
      case mqtt::Event::connack:
        connack = incoming_.connack.reason;
        session_present = incoming_.connack.session_present;
        return true;
      case mqtt::Event::publish: {
        const mqtt::Publish& p = incoming_.publish;
        got.push_back({std::string(p.topic), std::string(as_text(p.payload)), p.qos, p.retain,
                       p.packet_id, p.subscription_ids, p.expiry_seconds});
        if (p.qos == 1 && acknowledge) {
          machine_.ack({mqtt::PacketType::puback, p.packet_id, mqtt::Reason::success, {}}, out_);
        }
        return true;
      }
      case mqtt::Event::suback: {
        const auto& ack = incoming_.subscribe_ack;
        auto& to = ack.type == mqtt::PacketType::suback ? subacks : unsubacks;
        if (ack.reasons.empty()) to.push_back(mqtt::Reason::success);  // 3.1.1 UNSUBACK
        to.insert(to.end(), ack.reasons.begin(), ack.reasons.end());
        return true;
      }
      case mqtt::Event::ack:
        if (incoming_.ack.type == mqtt::PacketType::puback) pubacks.push_back(incoming_.ack.reason);
        return true;
      case mqtt::Event::disconnect:
        disconnected = incoming_.disconnect.reason;
        return false;
      case mqtt::Event::refused:
        throw std::runtime_error(std::string("the server sent: ") + incoming_.fault.what);
      default:
        return true;
    }
  }

  Broker& broker_;
  std::string id_;
  std::unique_ptr<runtime::SimClient> link_;
  mqtt::Connection machine_{mqtt::Role::client, settings};
  mqtt::Incoming incoming_;
  Buffer out_;
  unsigned ids_ = 0;
};

// Runs the broker and the clients until all is quiet.
template <class... C>
void settle(Broker& broker, C&... clients) {
  for (bool quiet = false; !quiet;) {
    broker.network.run();
    const auto pending = [](Client& client) { return !client.link().received().empty(); };
    quiet = !(pending(clients) || ...);
    (clients.poll(), ...);
  }
  broker.network.run();
}

}  // namespace gnomon::broker::testing
