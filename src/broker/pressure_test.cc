// What the broker does when messages come faster than they are taken.
#include "broker/pressure.h"

#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using testing::Broker;
using testing::Client;
using testing::settle;

TEST_CASE("watermarks: of one shard and of all, and they do not flutter") {
  const Watermarks one(800, 1), more(800, 4);
  struct Row {
    std::uint64_t own, all;
    Pressure before, after;
  };
  constexpr auto none = Pressure::none, slow = Pressure::slow, refuse = Pressure::refuse;
  for (const Row& row :
       {Row{400, 400, none, none}, Row{401, 401, none, slow}, Row{301, 301, slow, slow},
        Row{300, 300, slow, none}, Row{800, 800, slow, slow}, Row{801, 801, none, refuse},
        Row{601, 601, refuse, refuse}, Row{600, 600, refuse, slow}, Row{0, 0, refuse, none}}) {
    CAPTURE(row.own);
    CHECK(one.look(row.own, row.all, row.before) == row.after);
    CHECK(more.look(0, row.all, row.before) == row.after);
  }
  CHECK(more.look(300, 300, none) == none);  // three quarters of all, and half of that
  CHECK(more.look(301, 301, none) == slow);
  CHECK(more.look(601, 601, slow) == refuse);
}

// A broker that may hold little, a publisher, and a receiver that does not read.
struct World {
  explicit World(int shards = 1, mqtt::Version version = mqtt::Version::v5)
      : broker(shards, 1, profile()),
        publisher(broker, "p", version),
        stuck(broker, "stuck"),
        quiet(broker, "quiet") {
    for (Client* client : {&publisher, &stuck, &quiet}) {
      client->start();
      settle(broker, *client);
    }
    stuck.subscribe("t", 1);
    quiet.subscribe("q", 1);
    settle(broker, publisher, stuck, quiet);
    stuck.link().set_reading(false);
  }
  static Profile profile() {
    Profile profile;
    profile.held_bytes_max = 8 * MiB;
    return profile;
  }
  void publish(int count, std::uint8_t qos = 1) {
    for (int i = 0; i < count; ++i) publisher.publish("t", payload, qos);
    settle(broker, publisher, quiet);
  }
  void wait(std::chrono::milliseconds time) {
    broker.network.advance(time);
    settle(broker, publisher, quiet);
  }

  const std::string payload = std::string(100'000, 'x');
  Broker broker;
  Client publisher, stuck, quiet;
};

TEST_CASE("who publishes more than its share waits for its acknowledgements, others do not") {
  for (const int shards : {1, 3}) {
    World world(shards);
    for (int i = 0; i < 60; ++i) world.publish(1);
    const std::size_t acknowledged = world.publisher.pubacks.size();
    CHECK(acknowledged < 60);
    CHECK(acknowledged > 30);
    CHECK(world.broker.total(Count::pressed) > 0);
    CHECK(world.broker.total(Count::publisher_withheld) == 1);
    for (int i = 0; i < 20; ++i) {
      world.quiet.publish("q", "hello", 1);
      settle(world.broker, world.quiet, world.publisher);
    }
    CHECK(world.quiet.pubacks.size() == 20);
    CHECK(world.quiet.got.size() == 20);
    // Its share comes all the time.
    world.wait(std::chrono::seconds(4));
    CHECK(world.publisher.pubacks.size() > acknowledged);
    CHECK(world.publisher.pubacks.size() < 60);
    // The receiver reads again: all is acknowledged, all arrives, in order.
    world.stuck.link().set_reading(true);
    for (int i = 0; i < 20; ++i) {
      settle(world.broker, world.publisher, world.stuck);
      world.wait(std::chrono::milliseconds(20));
    }
    CHECK(world.publisher.pubacks == std::vector(60, Reason::success));
    CHECK(world.stuck.got.size() == 60);
    CHECK(world.broker.total(Count::pressed) == 0);
    CHECK(world.broker.total(Count::held) == 0);
  }
}

TEST_CASE("a receiver that takes nothing is disconnected after a while, and publishers go on") {
  World world;
  for (int i = 0; i < 60; ++i) world.publish(1);
  REQUIRE(world.broker.total(Count::pressed) == 1);
  for (int i = 0; i < 13; ++i) world.wait(std::chrono::seconds(1));
  CHECK(world.broker.total(Count::disconnects_slow) == 1);
  world.wait(std::chrono::seconds(20));  // its last output is given up
  CHECK(world.broker.total(Count::pressed) == 0);
  CHECK(world.publisher.pubacks.size() == 60);
  world.publish(5);
  CHECK(world.publisher.pubacks.size() == 65);
}

TEST_CASE("beyond the upper mark it is refused, QoS 0 dropped; small ones still pass") {
  World world;
  // One turn with a lot: what is open when the marks are passed is still taken.
  for (int i = 0; i < 90; ++i) world.publisher.publish("t", world.payload, 1);
  settle(world.broker, world.publisher);
  world.publish(1);
  CHECK(world.publisher.pubacks.size() < 91);
  for (int i = 0; i < 5; ++i) world.publish(1, 0);
  CHECK(world.broker.total(Count::dropped_overload) == 5);
  const auto refused = std::count(world.publisher.pubacks.begin(), world.publisher.pubacks.end(),
                                  Reason::quota_exceeded);
  CHECK(world.broker.total(Count::publish_refused_overload) == static_cast<std::uint64_t>(refused));
  CHECK(refused > 0);
  world.quiet.publish("q", "hello", 1);
  settle(world.broker, world.quiet);
  CHECK(world.quiet.pubacks == std::vector{Reason::success});
  // What was acknowledged arrives.
  world.stuck.link().set_reading(true);
  for (int i = 0; i < 20; ++i) {
    settle(world.broker, world.publisher, world.stuck);
    world.wait(std::chrono::milliseconds(20));
  }
  const auto taken =
      std::count(world.publisher.pubacks.begin(), world.publisher.pubacks.end(), Reason::success);
  CHECK(taken + refused == 91);
  CHECK(world.stuck.got.size() == static_cast<std::size_t>(taken));
}

TEST_CASE(
    "3.1.1 has no receive maximum: what is beyond is held, acknowledgements behind it are seen") {
  for (const bool ends : {false, true}) {
    CAPTURE(ends);
    World world(1, mqtt::Version::v311);
    for (int i = 0; i < 60; ++i) world.publish(1);
    REQUIRE(world.broker.total(Count::pressed) == 1);
    const std::size_t before = world.publisher.pubacks.size();
    world.publisher.subscribe("own", 1);
    settle(world.broker, world.publisher);
    for (int i = 0; i < 3000; ++i) world.publisher.publish("m", "small", 1);
    settle(world.broker, world.publisher);
    CHECK(world.broker.total(Count::publisher_held) == 1);
    // A message to it is acknowledged, although thousands stand in front of that.
    world.quiet.publish("own", "hello", 1);
    settle(world.broker, world.quiet, world.publisher);
    CHECK(world.publisher.got.size() == 1);
    if (ends) {
      world.publisher.disconnect();
      settle(world.broker, world.publisher);
      CHECK(world.broker.total(Count::received_qos1) == 60 + 3000 + 1);
      continue;
    }
    world.stuck.link().set_reading(true);
    for (int i = 0; i < 30; ++i) {
      settle(world.broker, world.publisher, world.stuck);
      world.wait(std::chrono::milliseconds(20));
    }
    CHECK(world.publisher.pubacks.size() == before + 3000 + (60 - before));
    CHECK(world.stuck.got.size() == 60);
  }
}

TEST_CASE("a flood that reaches many is cut into turns, and who says little is served between") {
  for (const int shards : {1, 3}) {
    CAPTURE(shards);
    Broker broker(shards);
    Client flood(broker, "flood"), quiet(broker, "quiet"), listener(broker, "listener");
    for (Client* client : {&flood, &quiet, &listener}) {
      client->start();
      settle(broker, *client);
    }
    listener.subscribe("quiet", 1);
    settle(broker, listener);
    std::vector<std::unique_ptr<Client>> crowd;
    for (int i = 0; i < 100; ++i) {
      crowd.push_back(std::make_unique<Client>(broker, "c" + std::to_string(i)));
      crowd.back()->start();
      settle(broker, *crowd.back());
      crowd.back()->subscribe("flood", 0);
      settle(broker, *crowd.back());
    }
    constexpr int count = 3000;
    for (int i = 0; i < count; ++i) flood.publish("flood", "x");
    quiet.publish("quiet", "hello", 1);
    for (int i = 0; i < 100'000 && listener.link().received().empty(); ++i) broker.network.step();
    listener.poll();
    CHECK(listener.got.size() == 1);
    CHECK(broker.total(Count::received_qos0) < count * 3 / 4);
    // All of it arrives, in order.
    broker.network.run();
    for (auto& client : crowd) {
      settle(broker, *client);
      CHECK(client->got.size() == count);
    }
    CHECK(broker.total(Count::received_qos0) == count);
  }
}

}  // namespace
}  // namespace gnomon::broker
