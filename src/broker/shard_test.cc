// The broker's behaviour, on the simulated network. Wire details are tested in mqtt and from
// outside (tests/blackbox); here is what depends on shards, time and slow peers.
#include "broker/shard.h"

#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using testing::Broker;
using testing::Client;
using testing::settle;

TEST_CASE("a message reaches subscribers of every shard once") {
  for (const int shards : {1, 2, 5}) {
    Broker broker(shards);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 7; ++i) {
      clients.push_back(std::make_unique<Client>(broker, "c" + std::to_string(i)));
      clients.back()->start();
      settle(broker, *clients.back());
      clients.back()->subscribe(i % 2 == 0 ? "a/+/c" : "a/b/c", 1);
      settle(broker, *clients.back());
      REQUIRE(clients.back()->subacks == std::vector{Reason::granted_qos1});
    }
    clients[0]->publish("a/b/c", "hello", 1);
    broker.network.run();
    for (auto& client : clients) settle(broker, *client);
    for (auto& client : clients) {
      REQUIRE(client->got.size() == 1);
      CHECK(client->got[0].payload == "hello");
      CHECK(client->got[0].qos == 1);
    }
    CHECK(clients[0]->pubacks == std::vector{Reason::success});
    CHECK(broker.total(Count::sent_qos1) == 7);
    CHECK(broker.total(Count::mailed) == static_cast<std::uint64_t>(shards - 1));
  }
}

TEST_CASE("nothing is mailed to shards without interest, nor after the last unsubscribe") {
  Broker broker(3);
  Client publisher(broker, "p"), subscriber(broker, "s");
  publisher.start();
  subscriber.start();
  settle(broker, publisher, subscriber);
  publisher.publish("t", "1");
  settle(broker, publisher);
  CHECK(broker.total(Count::mailed) == 0);
  subscriber.subscribe("t");
  settle(broker, subscriber);
  publisher.publish("t", "2");
  settle(broker, publisher, subscriber);
  CHECK(broker.total(Count::mailed) == 1);
  subscriber.unsubscribe("t");
  settle(broker, subscriber);
  publisher.publish("t", "3");
  settle(broker, publisher, subscriber);
  CHECK(broker.total(Count::mailed) == 1);
  CHECK(subscriber.got.size() == 1);
  CHECK(subscriber.unsubacks == std::vector{Reason::success});
}

TEST_CASE("take-over: the old connection gets 0x8E, its will goes out, one remains") {
  for (const int shards : {1, 3}) {
    Broker broker(shards);
    Client watcher(broker, "watcher"), old_one(broker, "lamp"), new_one(broker, "lamp");
    watcher.start();
    settle(broker, watcher);
    watcher.subscribe("gone/#");
    settle(broker, watcher);
    mqtt::Will will;
    will.topic = "gone/lamp";
    will.payload = as_bytes("bye");
    old_one.connect.will = will;
    old_one.start();
    settle(broker, old_one);
    REQUIRE(old_one.connack == Reason::success);
    new_one.start();
    settle(broker, watcher, old_one, new_one);
    CHECK(old_one.disconnected == Reason::session_taken_over);
    CHECK(old_one.closed());
    CHECK(new_one.connack == Reason::success);
    CHECK_FALSE(new_one.session_present);
    REQUIRE(watcher.got.size() == 1);
    CHECK(watcher.got[0].payload == "bye");
    CHECK(broker.total(Count::connections) == 2);
  }
}

TEST_CASE("packets sent right behind CONNECT wait for the grant and are handled in order") {
  Broker broker(4);
  Client client(broker, "eager");
  client.start();
  client.subscribe("self");
  client.publish("self", "me", 0);
  settle(broker, client);
  CHECK(client.connack == Reason::success);
  CHECK(client.subacks.size() == 1);
  CHECK(client.got.size() <= 1);  // the SUBACK may come after the PUBLISH was routed
  client.publish("self", "again", 0);
  settle(broker, client);
  REQUIRE_FALSE(client.got.empty());
  CHECK(client.got.back().payload == "again");
}

TEST_CASE("a connection that closes while its claim is open gives the id back") {
  Broker broker(4);
  for (int i = 0; i < 20; ++i) {
    Client client(broker, "same");
    client.start();
    client.drop();
    broker.network.run();
  }
  Client last(broker, "same");
  last.start();
  settle(broker, last);
  CHECK(last.connack == Reason::success);
  CHECK(broker.total(Count::connections) == 1);
}

TEST_CASE("keep-alive: 1.5 times, then 0x8D and the will; pings keep it") {
  Broker broker(1);
  Client client(broker, "quiet"), pinging(broker, "pinging");
  client.connect.keep_alive_seconds = pinging.connect.keep_alive_seconds = 10;
  client.start();
  pinging.start();
  settle(broker, client, pinging);
  for (int i = 0; i < 3; ++i) {
    broker.network.advance(std::chrono::milliseconds(4900));
    pinging.publish("x", "still here");
    settle(broker, client, pinging);
  }
  CHECK_FALSE(client.closed());
  broker.network.advance(std::chrono::milliseconds(400));
  settle(broker, client, pinging);
  CHECK(client.disconnected == Reason::keep_alive_timeout);
  CHECK(client.closed());
  CHECK_FALSE(pinging.closed());
  CHECK(broker.total(Count::disconnects_keep_alive) == 1);
}

TEST_CASE("a connection without CONNECT is closed after the time-out") {
  Broker broker(2);
  Client silent(broker, "silent"), trickling(broker, "trickling");
  broker.network.run();
  for (const std::uint8_t byte : std::initializer_list<std::uint8_t>{0x10, 0x10, 0x00}) {
    broker.network.advance(std::chrono::seconds(3));
    trickling.send_raw({&byte, 1});
    settle(broker, silent, trickling);
  }
  CHECK_FALSE(silent.closed());
  broker.network.advance(std::chrono::seconds(2));
  settle(broker, silent, trickling);
  CHECK(silent.closed());
  CHECK(trickling.closed());
  CHECK(broker.total(Count::connect_timeouts) == 2);
}

TEST_CASE("a message's expiry counts down while it waits for the receiver's window") {
  Broker broker(2);
  Client publisher(broker, "p"), slow(broker, "s");
  slow.settings.receive_maximum = 1;
  slow.acknowledge = false;
  publisher.start();
  slow.start();
  settle(broker, publisher, slow);
  slow.subscribe("t", 1);
  settle(broker, slow);
  for (const std::uint32_t seconds : {100U, 2U, 60U}) {
    publisher.expiry = seconds;
    publisher.publish("t", std::to_string(seconds), 1);
  }
  settle(broker, publisher, slow);
  REQUIRE(slow.got.size() == 1);
  CHECK(slow.got[0].expiry == 100);
  broker.network.advance(std::chrono::seconds(10));
  slow.puback(slow.got[0].packet_id);
  settle(broker, slow);
  REQUIRE(slow.got.size() == 2);
  CHECK(slow.got[1].payload == "60");
  CHECK(slow.got[1].expiry == 50);
  CHECK(broker.total(Count::dropped_expired) == 1);
}

TEST_CASE("a subscriber that never reads costs bounded memory and nobody else anything") {
  Broker broker(2);
  Client publisher(broker, "p"), stuck(broker, "stuck"), good(broker, "good");
  publisher.start();
  stuck.start();
  good.start();
  settle(broker, publisher, stuck, good);
  stuck.subscribe("t", 1);
  good.subscribe("t", 1);
  settle(broker, stuck, good);
  stuck.link().set_reading(false);
  const std::string payload(100'000, 'x');
  for (int i = 0; i < 600; ++i) {  // 60 MB
    publisher.publish("t", payload, i % 2 == 0 ? 1 : 0);
    settle(broker, publisher, good);
  }
  CHECK(good.got.size() == 600);
  CHECK(publisher.pubacks.size() == 300);
  CHECK(broker.total(Count::dropped_slow_subscriber) > 0);
  // Rather than lose what was acknowledged to its publisher, it is disconnected.
  CHECK(broker.total(Count::disconnects_slow) == 1);
  CHECK(broker.total(Count::connections) == 2);
}

TEST_CASE("overlapping subscriptions: one copy, the highest QoS, every identifier") {
  Broker broker(2);
  Client publisher(broker, "p"), subscriber(broker, "s");
  publisher.start();
  subscriber.start();
  settle(broker, publisher, subscriber);
  subscriber.subscribe("a/#", 0, 7);
  subscriber.subscribe("a/+", 1, 300);
  subscriber.subscribe("a/b", 0);
  settle(broker, subscriber);
  publisher.publish("a/b", "x", 1);
  settle(broker, publisher, subscriber);
  REQUIRE(subscriber.got.size() == 1);
  CHECK(subscriber.got[0].qos == 1);
  auto identifiers = subscriber.got[0].identifiers;
  std::sort(identifiers.begin(), identifiers.end());
  CHECK(identifiers == std::vector<std::uint32_t>{7, 300});
}

TEST_CASE("the retain flag of a live message goes only to subscribers that keep it as published") {
  Profile profile;
  profile.retain_available = true;  // what the durable store will turn on
  Broker broker(1, 1, profile);
  Client as_published(broker, "yes"), plain(broker, "no");
  as_published.start();
  plain.start();
  settle(broker, as_published, plain);
  as_published.retain_as_published = true;
  as_published.subscribe("t", 1);
  plain.subscribe("t", 1);
  settle(broker, as_published, plain);
  message::Message message;
  message.topic = "t";
  message.payload = as_bytes("x");
  message.qos = 1;
  message.retain = true;
  broker.loops[0]->post([&] { broker.shards[0]->publish(message); });
  settle(broker, as_published, plain);
  REQUIRE(as_published.got.size() == 1);
  REQUIRE(plain.got.size() == 1);
  CHECK(as_published.got[0].retain);
  CHECK_FALSE(plain.got[0].retain);
}

TEST_CASE("no-local: its subscription adds nothing to what comes back by another one") {
  Broker broker(1);
  Client self(broker, "self"), other(broker, "other");
  self.start();
  other.start();
  settle(broker, self, other);
  self.no_local = true;
  self.subscribe("t/#", 1, 1);
  self.no_local = false;
  self.subscribe("t/x", 0, 2);
  settle(broker, self);
  self.publish("t/x", "mine", 1);
  settle(broker, self, other);
  other.publish("t/x", "theirs", 1);
  settle(broker, self, other);
  REQUIRE(self.got.size() == 2);
  CHECK(self.got[0].qos == 0);
  CHECK(self.got[0].identifiers == std::vector<std::uint32_t>{2});
  CHECK(self.got[1].qos == 1);
  CHECK(self.got[1].identifiers == std::vector<std::uint32_t>{2, 1});
}

TEST_CASE("a client that takes too little for a CONNACK is told so, or just closed") {
  Broker broker(1);
  for (const std::size_t most : {10U, 2U}) {
    Client client(broker, "tiny");
    client.settings.packet_bytes_max = most;
    client.start();
    broker.network.run();
    CHECK(client.closed());
    const std::uint8_t too_large[]{0x20, 3, 0, 0x95, 0};
    const ByteView got = client.link().received().view();
    CHECK(std::ranges::equal(got, ByteView(too_large).first(most == 10 ? 5 : 0)));
  }
}

TEST_CASE("keep-alive: bytes that never become a packet are no sign of life") {
  Broker broker(1);
  Client client(broker, "trickling");
  client.connect.keep_alive_seconds = 10;
  client.start();
  settle(broker, client);
  for (const std::uint8_t byte : std::initializer_list<std::uint8_t>{0x30, 0x40, 0, 1, 'a'}) {
    client.send_raw({&byte, 1});
    broker.network.advance(std::chrono::seconds(4));
  }
  settle(broker, client);
  CHECK(client.disconnected == Reason::keep_alive_timeout);
}

TEST_CASE("no-local: a client does not get its own messages, others do") {
  Broker broker(2);
  Client self(broker, "self"), other(broker, "other");
  self.no_local = true;
  self.start();
  other.start();
  settle(broker, self, other);
  self.subscribe("t");
  settle(broker, self);
  self.publish("t", "mine");
  other.publish("t", "theirs");
  settle(broker, self, other);
  REQUIRE(self.got.size() == 1);
  CHECK(self.got[0].payload == "theirs");
}

// One shard does not get turns while another publishes to it: credits run out, the publisher's
// PUBACKs stop and it is not read; when the shard catches up everything has arrived, in order.
TEST_CASE("a shard that is behind slows its publishers down and loses nothing") {
  Broker broker(2, 3);
  broker.next_shard = 0;
  Client publisher(broker, "p");
  publisher.start();
  settle(broker, publisher);
  Client subscriber(broker, "s");  // on the other shard
  subscriber.start();
  settle(broker, subscriber);
  subscriber.subscribe("t", 1);
  settle(broker, subscriber);
  const std::string filler(3000, 'x');
  constexpr int messages = 3000;  // 9 MB: more than the credits hold
  for (int i = 0; i < messages; ++i) {
    publisher.publish("t", std::to_string(i) + " " + filler, 1);
    if (i % 500 == 499) settle(broker, publisher, subscriber);
  }
  settle(broker, publisher, subscriber);
  CHECK(publisher.pubacks.size() == messages);
  REQUIRE(subscriber.got.size() == messages);
  for (int i = 0; i < messages; ++i) {
    const std::string& payload = subscriber.got[static_cast<std::size_t>(i)].payload;
    CHECK(payload.starts_with(std::to_string(i) + ' '));
  }
}

TEST_CASE("shut-down: 0x8B, no will, new connections refused") {
  Broker broker(2);
  Client client(broker, "c");
  client.start();
  settle(broker, client);
  for (std::size_t i = 0; i < 2; ++i) {
    broker.loops[i]->post([&, i] { broker.shards[i]->shut_down(); });
  }
  settle(broker, client);
  CHECK(client.disconnected == Reason::server_shutting_down);
  CHECK(client.closed());
  CHECK(broker.shards[0]->drained());
  CHECK(broker.shards[1]->drained());
  Client late(broker, "late");
  broker.network.run();
  CHECK(late.closed());
}

TEST_CASE("shut-down: what was acknowledged is delivered first, between shards too") {
  std::size_t acknowledged = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Broker broker(3, seed);
    Client publisher(broker, "p");
    publisher.start();
    settle(broker, publisher);
    Client subscriber(broker, "s");  // on another shard
    subscriber.start();
    settle(broker, publisher, subscriber);
    subscriber.subscribe("t", 1);
    settle(broker, publisher, subscriber);
    for (int i = 0; i < 40; ++i) publisher.publish("t", std::to_string(i), 1);
    for (std::uint64_t turns = broker.random.below(6); turns > 0; --turns) broker.network.step();
    for (int i = 0; i < 3; ++i) {
      broker.loops[i]->post([shard = broker.shards[i].get()] { shard->shut_down(); });
    }
    settle(broker, publisher, subscriber);
    CAPTURE(seed);
    CHECK(subscriber.got.size() >= publisher.pubacks.size());
    CHECK(publisher.disconnected == Reason::server_shutting_down);
    CHECK(subscriber.disconnected == Reason::server_shutting_down);
    for (const auto& shard : broker.shards) CHECK(shard->drained());
    acknowledged += publisher.pubacks.size();
  }
  CHECK(acknowledged > 0);
}

TEST_CASE("SUBACKs come in order, a refusal behind what waits for retained messages too") {
  Broker broker(3);
  Client sub(broker, "sub");
  sub.start();
  settle(broker, sub);
  for (const char* filter : {"a", "b/#", "#/no", "c", "#/no", "#/no"}) sub.subscribe(filter, 1);
  settle(broker, sub);
  const Reason yes = Reason::granted_qos1, no = Reason::topic_filter_invalid;
  CHECK(sub.subacks == std::vector<Reason>{yes, yes, no, yes, no, no});
  sub.subscribe("#/no");
  settle(broker, sub);
  CHECK(sub.subacks.back() == no);
}

}  // namespace
}  // namespace gnomon::broker
