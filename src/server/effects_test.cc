// What follows from a change of the registry, with real shards and clients that are `local`.
#include "server/effects.h"

#include <doctest/doctest.h>

#include "broker/broker_fixture.h"
#include "crypto/issue.h"
#include "identity/first_start.h"
#include "registry/attachments.h"
#include "registry/event_configurations.h"
#include "registry/policies.h"
#include "registry/things.h"

namespace gnomon::server {
namespace {

using broker::Count;
using broker::testing::Broker;
using broker::testing::Client;
using broker::testing::settle;
using mqtt::Reason;

struct World {
  World() {
    REQUIRE(identity::make_policies(registry).ok());
    authentication.use({true, {}, std::nullopt});
    broker.authenticator.decide = [this](const broker::Credentials& credentials,
                                         broker::Authenticator::Later later) {
      return authentication.authenticate(credentials, std::move(later));
    };
    broker.authenticator.decide_again = [this](const broker::Credentials& credentials,
                                               std::string_view principal,
                                               broker::Authenticator::Later later) {
      return authentication.renew(credentials, principal, std::move(later));
    };
  }
  static crypto::Authority make_authority(Random& random) {
    crypto::PrivateKey key = crypto::PrivateKey::generate_ec_p256();
    auto certificate = crypto::self_sign(
        {crypto::Profile::device_ca, "devices", {}, WallTime{1'577'836'800'000}, crypto::far_end},
        key, random);
    REQUIRE(certificate);
    return {*certificate, key};
  }
  template <class T>
  void apply(registry::Written<T> done) {
    REQUIRE(done.ok());
    effects.apply(std::move(done->effects));
  }
  void attach(const char* policy, bool attached) {
    apply(attached ? attach_policy(registry, policy, "gnomon:local")
                   : detach_policy(registry, policy, "gnomon:local"));
  }

  Broker broker{2};
  SeededRandom random{7};
  crypto::Authority authority = make_authority(random);
  registry::Registry registry{
      *broker.store, broker.network.wall_clock(), random, authority, "123456789012", "us-east-1"};
  identity::Devices devices{{registry,
                             broker.network.clock(),
                             broker.network.wall_clock(),
                             {[](const std::string&) { return false; }, {}},
                             {}}};
  crypto::Sealer sealer{crypto::MasterKey{}};
  iam::Iam iam{*broker.store, broker.network.wall_clock(), random, sealer, "123456789012", {}};
  Authentication authentication{{broker.network.wall_clock(), *broker.pool, *broker.pool, random,
                                 devices, iam, "arn:aws:iot:us-east-1:123456789012:"}};
  Effects effects{{*broker.control, broker.loops, broker.shards, *broker.store, broker.syncer,
                   authentication, [this] { ++indexings; }}};
  int indexings = 0;
};

TEST_CASE("a policy that changes holds for who is connected; without one they end") {
  World world;
  Client lamp(world.broker, "lamp");
  lamp.start();
  settle(world.broker, lamp);
  REQUIRE(lamp.connack == Reason::success);
  lamp.publish("b/1", "x", 1);
  settle(world.broker, lamp);

  const std::string arn = "arn:aws:iot:us-east-1:123456789012:";
  const auto some = create_policy(world.registry, {"some",
                                                   R"({"Version":"2012-10-17","Statement":[
                         {"Effect":"Deny","Action":"iot:Publish","Resource":")" +
                                                       arn + R"(topic/b/*"}]})",
                                                   {}});
  REQUIRE(some.ok());
  world.attach("some", true);
  settle(world.broker, lamp);
  lamp.publish("b/1", "x", 1);
  lamp.publish("a/1", "x", 1);
  settle(world.broker, lamp);
  CHECK(lamp.pubacks == std::vector{Reason::success, Reason::not_authorized, Reason::success});

  world.attach(identity::local_policy, false);
  settle(world.broker, lamp);
  CHECK(lamp.disconnected == Reason::not_authorized);
  CHECK(world.broker.total(Count::disconnects_policy) == 1);
  Client again(world.broker, "lamp");
  again.start();
  settle(world.broker, again);
  CHECK(again.connack == Reason::not_authorized);
  CHECK(world.broker.total(Count::connect_refused_policy) == 1);
  CHECK(world.broker.total(Count::connect_refused_identity) == 0);

  world.attach(identity::local_policy, true);
  world.attach("some", false);
  Client third(world.broker, "lamp");
  third.start();
  settle(world.broker, third);
  third.publish("b/1", "x", 1);
  settle(world.broker, third);
  CHECK(third.pubacks == std::vector{Reason::success});
}

TEST_CASE("events are published to whoever may receive them, in order") {
  World world;
  Client watcher(world.broker, "watcher");
  watcher.start();
  settle(world.broker, watcher);
  watcher.subscribe("$aws/events/#", 1);
  settle(world.broker, watcher);
  registry::Effects effects;
  effects.events = {{"$aws/events/thing/a/created", "1"}, {"$aws/events/thing/a/deleted", "2"}};
  bool then = false;
  world.effects.when_durable(world.broker.store->applied(), std::move(effects),
                             [&] { then = true; });
  settle(world.broker, watcher);
  CHECK(then);
  REQUIRE(watcher.got.size() == 2);
  CHECK(watcher.got[0].topic == "$aws/events/thing/a/created");
  CHECK(watcher.got[0].qos == 1);
  CHECK(watcher.got[1].payload == "2");
}

TEST_CASE("what is indexed has changed: who brings the index there is told") {
  World world;
  registry::Effects effects;
  effects.indexing = true;
  world.effects.apply(effects);
  CHECK(world.indexings == 1);
  world.effects.apply({});
  CHECK(world.indexings == 1);
}

TEST_CASE("nothing follows before the change is durable") {
  World world;
  bool then = false;
  world.effects.when_durable(world.broker.store->applied() + 1, {}, [&] { then = true; });
  world.broker.network.run();
  CHECK(!then);
  store::Batch batch;
  batch.operations.emplace_back(store::Put{"\xFEkey", "value"});
  REQUIRE(world.broker.store->apply(batch).ok());
  world.broker.network.advance(std::chrono::milliseconds(3));
  world.broker.network.run();
  CHECK(then);
}

}  // namespace
}  // namespace gnomon::server
