// What becomes of connections whose identity is looked at again.
#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using testing::Broker;
using testing::Client;
using testing::settle;

// May do everything with topics that begin so.
class Below final : public Permissions {
 public:
  explicit Below(std::string prefix) : prefix_(std::move(prefix)) {}
  [[nodiscard]] bool may_publish(std::string_view topic, bool) const override {
    return topic.starts_with(prefix_);
  }
  [[nodiscard]] bool may_subscribe(std::string_view filter) const override {
    return filter.starts_with(prefix_);
  }
  [[nodiscard]] bool may_receive(std::string_view topic) const override {
    return topic.starts_with(prefix_);
  }

 private:
  std::string prefix_;
};

// Each client is the principal of its own name, and may do what `now` says of it.
struct World {
  explicit World(int shards) : broker(shards) {
    broker.authenticator.decide = [this](const Credentials& given, const Authenticator::Later&) {
      return decide(given.client_id);
    };
    broker.authenticator.decide_again = [this](const Credentials& given, std::string_view principal,
                                               const Authenticator::Later&) {
      CHECK(given.client_id == principal);
      return decide(principal);
    };
  }
  Verdict decide(std::string_view name) {
    const auto at = now.find(name);
    if (at == now.end()) return Identity{std::string(name), nullptr};
    if (!at->second) return Refusal{Reason::not_authorized, "revoked"};
    return Identity{std::string(name), at->second};
  }
  void recheck(const Principals& changed) {
    for (std::size_t i = 0; i < broker.shards.size(); ++i) {
      broker.loops[i]->post([shard = broker.shards[i].get(), changed] { shard->recheck(changed); });
    }
  }

  Broker broker;
  std::map<std::string, std::shared_ptr<const Permissions>, std::less<>> now;  // null: nobody
};

TEST_CASE("who is nobody any more is told so, its will is published, and others stay") {
  for (const auto version : {mqtt::Version::v311, mqtt::Version::v5}) {
    World world(2);
    Client watcher(world.broker, "watcher"), lamp(world.broker, "lamp", version),
        other(world.broker, "other");
    lamp.connect.will = mqtt::Will{};
    lamp.connect.will->topic = "will";
    for (Client* client : {&watcher, &lamp, &other}) client->start();
    settle(world.broker, watcher, lamp, other);
    watcher.subscribe("will");
    settle(world.broker, watcher, lamp, other);

    world.now["lamp"] = world.now["other"] = nullptr;
    world.recheck({{"another", "lamp"}, false});
    settle(world.broker, watcher, lamp, other);
    CHECK(lamp.closed());
    if (version == mqtt::Version::v5) CHECK(lamp.disconnected == Reason::not_authorized);
    CHECK(watcher.got.size() == 1);
    CHECK(!other.closed());
    CHECK(world.broker.total(Count::disconnects_policy) == 1);
    CHECK(world.broker.total(Count::rechecks) == 1);

    world.recheck({{}, true});
    settle(world.broker, watcher, lamp, other);
    CHECK(other.closed());
    CHECK(!watcher.closed());
    CHECK(world.broker.total(Count::disconnects_policy) == 2);
    CHECK(world.broker.total(Count::rechecks) == 3);
  }
}

TEST_CASE("a will is judged by what its client may do when it ends") {
  for (const bool may : {false, true}) {
    CAPTURE(may);
    World world(2);
    Client watcher(world.broker, "watcher"), lamp(world.broker, "lamp");
    lamp.connect.will = mqtt::Will{};
    lamp.connect.will->topic = "will";
    for (Client* client : {&watcher, &lamp}) client->start();
    settle(world.broker, watcher, lamp);
    watcher.subscribe("will");
    settle(world.broker, watcher, lamp);
    const auto permissions = std::make_shared<Below>(may ? "w" : "x");
    SUBCASE("by itself") {
      world.now["lamp"] = permissions;
      world.recheck({{"lamp"}});
      settle(world.broker, watcher, lamp);
      CHECK(watcher.got.empty());
      lamp.drop();
      world.broker.run();
    }
    SUBCASE("since it may not be connected any more") {
      world.broker.authenticator.decide_again = [&](const Credentials&, std::string_view,
                                                    const Authenticator::Later&) -> Verdict {
        return Refusal{Reason::not_authorized, "revoked", true, permissions};
      };
      world.recheck({{"lamp"}});
      settle(world.broker, watcher, lamp);
      CHECK(lamp.closed());
    }
    settle(world.broker, watcher);
    CHECK(watcher.got.size() == (may ? 1 : 0));
    CHECK(world.broker.total(Count::publish_refused_policy) == (may ? 0 : 1));
  }
}

TEST_CASE("an identity that ends is asked about again then, and what it rests on is told") {
  World world(2);
  auto& authenticator = world.broker.authenticator;
  const auto in = [&](std::chrono::seconds left) { return authenticator.now() + left; };
  std::vector<std::string> asked;
  authenticator.decide = [&](const Credentials& given, const Authenticator::Later&) -> Verdict {
    if (given.client_id == "lasting") return Identity{"lasting", nullptr};
    return Identity{std::string(given.client_id), nullptr,
                    in(std::chrono::seconds(given.client_id == "soon" ? 5 : 600)), 7};
  };
  bool goes_on = true;
  authenticator.decide_again = [&](const Credentials& given, std::string_view,
                                   const Authenticator::Later&) -> Verdict {
    asked.emplace_back(given.client_id);
    CHECK(given.basis == 7);
    if (!goes_on) return Refusal{Reason::not_authorized, "it has ended"};
    return Identity{std::string(given.client_id), nullptr, in(std::chrono::seconds(20)), 7};
  };
  Client lasting(world.broker, "lasting"), late(world.broker, "late"), soon(world.broker, "soon");
  for (Client* client : {&lasting, &late, &soon}) client->start();
  settle(world.broker, lasting, late, soon);
  const auto pass = [&](std::chrono::milliseconds by) {
    authenticator.clock.advance(by);
    world.broker.network.advance(by);
    settle(world.broker, lasting, late, soon);
  };
  pass(std::chrono::seconds(5));
  CHECK(asked.empty());
  pass(std::chrono::milliseconds(1001));
  CHECK(asked == std::vector<std::string>{"soon"});
  goes_on = false;
  pass(std::chrono::seconds(19));
  CHECK(!soon.closed());
  pass(std::chrono::milliseconds(2001));
  CHECK(soon.closed());
  CHECK(soon.disconnected == Reason::not_authorized);
  // Somebody has set the clock.
  authenticator.clock.advance(std::chrono::hours(1));
  CHECK(!late.closed());
  for (int i = 0; i < 61; ++i) {
    world.broker.network.advance(std::chrono::seconds(1));
    settle(world.broker, lasting, late, soon);
  }
  CHECK(late.closed());
  CHECK(!lasting.closed());
}

TEST_CASE("other permissions hold for the next message, each way, and for what is queued") {
  for (const bool kept : {false, true}) {
    CAPTURE(kept);
    World world(2);
    Client source(world.broker, "source"), lamp(world.broker, "lamp");
    lamp.settings.receive_maximum = 1;
    lamp.connect.receive_maximum = 1;
    lamp.connect.session_expiry_seconds = kept ? 60 : 0;
    lamp.acknowledge = false;
    source.start();
    lamp.start();
    settle(world.broker, source, lamp);
    lamp.subscribe("#", 1);
    settle(world.broker, source, lamp);
    lamp.publish("a/1", "x", 1);  // its route is remembered with the verdict
    settle(world.broker, source, lamp);
    for (const std::string topic : {"a/2", "a/3", "b/4"}) source.publish(topic, "x", 1);
    settle(world.broker, source, lamp);
    world.broker.run();
    settle(world.broker, source, lamp);
    REQUIRE(lamp.got.size() == 1);  // its own; the others wait
    CHECK(lamp.pubacks == std::vector{Reason::success});

    world.now["lamp"] = std::make_shared<Below>("b/");
    world.recheck({{"lamp"}, false});
    settle(world.broker, source, lamp);
    lamp.acknowledge = true;
    lamp.puback(lamp.got[0].packet_id);
    lamp.publish("a/1", "x", 1);
    lamp.publish("b/1", "x", 1);
    lamp.subscribe("a/#");
    source.publish("a/5", "x");
    source.publish("b/5", "x");
    settle(world.broker, source, lamp);
    world.broker.run();
    settle(world.broker, source, lamp);
    CHECK(lamp.pubacks == std::vector{Reason::success, Reason::not_authorized, Reason::success});
    CHECK(lamp.subacks.back() == Reason::not_authorized);
    CHECK(lamp.got.size() == 4);  // and b/4, b/1, b/5
    for (std::size_t i = 1; i < lamp.got.size(); ++i) CHECK(lamp.got[i].topic.starts_with("b/"));
  }
}

// Allows all, and counts how often it is asked whether something may be received.
class Counting final : public Permissions {
 public:
  mutable int asked = 0;
  [[nodiscard]] bool may_publish(std::string_view, bool) const override { return true; }
  [[nodiscard]] bool may_subscribe(std::string_view) const override { return true; }
  [[nodiscard]] bool may_receive(std::string_view) const override {
    ++asked;
    return true;
  }
};

TEST_CASE("of a topic it is asked once, on every path, and again when the permissions are others") {
  for (const bool kept : {false, true}) {
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
      CAPTURE(kept);
      CAPTURE(int{qos});
      World world(2);
      Client source(world.broker, "source"), lamp(world.broker, "lamp");
      lamp.connect.session_expiry_seconds = kept ? 60 : 0;
      const auto first = std::make_shared<Counting>(), second = std::make_shared<Counting>();
      world.now["lamp"] = first;
      source.start();
      lamp.start();
      settle(world.broker, source, lamp);
      lamp.subscribe("#", 1);
      settle(world.broker, source, lamp);
      const auto publish = [&] {
        for (int i = 0; i < 3; ++i) source.publish("a/long/topic/that/is/one", "x", qos);
        settle(world.broker, source, lamp);
        world.broker.run();
        settle(world.broker, source, lamp);
      };
      publish();
      CHECK(first->asked == 1);
      world.now["lamp"] = second;
      world.recheck({{"lamp"}, false});
      settle(world.broker, source, lamp);
      publish();
      CHECK(first->asked == 1);
      CHECK(second->asked == 1);
      CHECK(lamp.got.size() == 6);
    }
  }
}

TEST_CASE("what is retained is replayed by what holds then") {
  World world(2);
  Client source(world.broker, "source"), lamp(world.broker, "lamp");
  source.start();
  lamp.start();
  settle(world.broker, source, lamp);
  for (const std::string topic : {"a/1", "b/1"}) {
    message::Message message;
    message.topic = topic;
    message.payload = as_bytes(std::string_view("r"));
    message.retain = true;
    world.broker.shards[0]->publish(message);
  }
  settle(world.broker, source, lamp);
  world.now["lamp"] = std::make_shared<Below>("b/");
  world.recheck({{"lamp"}, false});
  settle(world.broker, source, lamp);
  for (const std::string filter : {"b/#", "a/#"}) {
    lamp.subscribe(filter);
    settle(world.broker, source, lamp);
  }
  CHECK(lamp.subacks == std::vector{Reason::success, Reason::not_authorized});
  REQUIRE(lamp.got.size() == 1);
  CHECK(lamp.got[0].topic == "b/1");
}

TEST_CASE("a verdict that was under way while something changed is asked for again") {
  World world(2);
  std::vector<Authenticator::Later> first, again;
  world.broker.authenticator.decide = [&](const Credentials&, Authenticator::Later later) {
    first.push_back(std::move(later));
    return std::nullopt;
  };
  world.broker.authenticator.decide_again = [&](const Credentials&, std::string_view,
                                                Authenticator::Later later) {
    again.push_back(std::move(later));
    return std::nullopt;
  };
  Client lamp(world.broker, "lamp");
  lamp.start();
  settle(world.broker, lamp);
  REQUIRE(first.size() == 1);
  world.recheck({{"whoever"}, false});
  settle(world.broker, lamp);
  CHECK(again.empty());
  first[0](Identity{"lamp", nullptr});
  settle(world.broker, lamp);
  REQUIRE(again.size() == 1);
  world.recheck({{"lamp"}, false});
  settle(world.broker, lamp);
  REQUIRE(again.size() == 2);
  SUBCASE("an answer to an older question counts for nothing") {
    again[1](Identity{"lamp", nullptr});
    settle(world.broker, lamp);
    again[0](Refusal{Reason::not_authorized, "of before"});
    settle(world.broker, lamp);
    CHECK(!lamp.closed());
  }
  SUBCASE("the last one does") {
    again[1](Refusal{Reason::not_authorized, "revoked"});
    settle(world.broker, lamp);
    CHECK(lamp.closed());
    CHECK(world.broker.total(Count::connections) == 0);
    // The client id is free again.
    Client next(world.broker, "lamp");
    next.start();
    settle(world.broker, next);
    first[1](Identity{"lamp", nullptr});
    settle(world.broker, next);
    CHECK(next.connack == Reason::success);
  }
  SUBCASE("nobody is there any more") {
    lamp.drop();
    world.broker.network.run();
    again[1](Refusal{Reason::not_authorized, "revoked"});
    world.broker.run();
    CHECK(world.broker.total(Count::disconnects_policy) == 0);
  }
}

TEST_CASE("one that waits for its client id is refused, and the id is not lost") {
  World world(2);
  world.broker.next_shard = 0;
  // The verdict at once, then a recheck before home has answered: as soon as the CONNECT is read.
  bool refuse = false;
  world.broker.authenticator.decide = [&](const Credentials&, const Authenticator::Later&) {
    world.recheck({{"lamp"}, false});
    return Verdict{Identity{"lamp", nullptr}};
  };
  world.broker.authenticator.decide_again = [&](const Credentials&, std::string_view,
                                                const Authenticator::Later&) -> Verdict {
    if (refuse) return Refusal{Reason::not_authorized, "revoked"};
    return Identity{"lamp", nullptr};
  };
  for (int i = 0; i < 20; ++i) {  // in whatever order the loops run
    refuse = true;
    Client refused(world.broker, "lamp");
    refused.start();
    settle(world.broker, refused);
    CHECK(refused.closed());
    refuse = false;
    Client lamp(world.broker, "lamp");
    lamp.start();
    settle(world.broker, lamp);
    CHECK(lamp.connack == Reason::success);
    lamp.disconnect();
    settle(world.broker, lamp);
  }
  CHECK(world.broker.total(Count::connections) == 0);
}

}  // namespace
}  // namespace gnomon::broker
