// Why connections end, as it is told, and whether their wills are published: each way that this
// server knows. (WebSocket's close frame: net/websocket_test.cc says goodbye.)
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using mqtt::Version;
using testing::Broker;
using testing::Client;
using testing::Got;
using testing::settle;

// May publish and subscribe to what begins with "may/", and nothing else but wills.
class Little final : public Permissions {
 public:
  [[nodiscard]] bool may_publish(std::string_view topic, bool) const override {
    return topic.starts_with("may/") || topic == "will";
  }
  [[nodiscard]] bool may_subscribe(std::string_view filter) const override {
    return filter.starts_with("may/");
  }
  [[nodiscard]] bool may_receive(std::string_view) const override { return true; }
};

class Signed final : public Proof {};

// A watcher of events and wills, and clients of whom the test says who they are.
struct World {
  explicit World(Profile profile = {}, std::shared_ptr<const Proof> proof = nullptr)
      : broker(3, 1, profile) {
    broker.proof = std::move(proof);
    broker.authenticator.decide = [this](const Credentials& given, const Authenticator::Later&) {
      return given.client_id == "watcher" ? Verdict(Identity{"watcher", nullptr}) : verdict;
    };
    watcher.start();
    talk();
    watcher.subscribe("$aws/events/presence/#");
    watcher.subscribe("will");
    talk();
    client.connect.will = mqtt::Will();
    client.connect.will->topic = "will";
  }
  void talk() { settle(broker, watcher, client); }
  void connect() {
    client.start();
    talk();
    REQUIRE(client.connack == Reason::success);
    watcher.got.clear();
  }
  void recheck() {
    for (std::size_t i = 0; i < broker.shards.size(); ++i) {
      broker.loops[i]->post([shard = broker.shards[i].get()] {
        shard->recheck({.names = {}, .everyone = true, .proven = false});
      });
    }
    talk();
  }
  // The reason that was told, and whether the will came.
  std::string ended(bool with_will) {
    talk();
    std::string why;
    int wills = 0, events = 0;
    for (const Got& got : watcher.got) {
      if (got.topic == "will") {
        ++wills;
        continue;
      }
      ++events;
      constexpr std::string_view name = "\"disconnectReason\":\"";
      const std::size_t at = got.payload.find(name);
      REQUIRE(at != std::string::npos);
      why = got.payload.substr(at + name.size());
      why.resize(why.find('"'));
      const bool by_client =
          got.payload.find("\"clientInitiatedDisconnect\":true") != std::string::npos;
      CHECK(by_client == (why == "CLIENT_INITIATED_DISCONNECT"));
    }
    CHECK(events == 1);
    CHECK(wills == (with_will ? 1 : 0));
    return why;
  }

  Broker broker;
  Verdict verdict = Identity{"somebody", nullptr};
  Client watcher{broker, "watcher"};
  Client client{broker, "lamp"};
};

TEST_CASE("a DISCONNECT; with 0x04 the will is published") {
  for (const Reason reason : {Reason::success, Reason::disconnect_with_will}) {
    World world;
    world.connect();
    world.client.disconnect(reason);
    CHECK(world.ended(reason != Reason::success) == "CLIENT_INITIATED_DISCONNECT");
  }
}

TEST_CASE("the connection is lost") {
  World world;
  world.connect();
  world.client.drop();
  CHECK(world.ended(true) == "CONNECTION_LOST");
}

TEST_CASE("nothing is heard for 1.5 times the keep-alive") {
  World world;
  world.client.connect.keep_alive_seconds = 1;
  world.connect();
  world.broker.network.advance(std::chrono::seconds(2));
  CHECK(world.ended(true) == "MQTT_KEEP_ALIVE_TIMEOUT");
}

TEST_CASE("a protocol violation, and a payload beyond the limit") {
  {
    World world;
    world.connect();
    const std::uint8_t malformed[] = {0x00, 0x00};
    world.client.send_raw(malformed);
    CHECK(world.ended(true) == "CLIENT_ERROR");
  }
  Profile profile;
  profile.payload_bytes_max = 10;
  World world(profile);
  world.connect();
  world.client.publish("t", "more than that", 1);
  CHECK(world.ended(true) == "CLIENT_ERROR");
}

TEST_CASE("another connection takes the client id") {
  World world;
  world.connect();
  Client rival(world.broker, "lamp");
  rival.start();
  settle(world.broker, rival, world.client, world.watcher);
  REQUIRE(world.watcher.got.size() == 3);  // the old one, its will, the new one
  std::string all;
  for (const Got& got : world.watcher.got) all += got.topic + got.payload;
  CHECK(all.find("DUPLICATE_CLIENTID") != std::string::npos);
}

TEST_CASE("a PUBLISH that its policies refuse, where only the end can say so") {
  World world;
  world.verdict = Identity{"somebody", std::make_shared<const Little>()};
  world.connect();
  world.client.publish("not", "x");
  CHECK(world.ended(true) == "AUTH_ERROR");
}

TEST_CASE("its identity is revoked, and its policies do not let it connect any more") {
  for (const bool policy : {false, true}) {
    World world;
    world.connect();
    world.verdict = Refusal{.why = "no", .policy = policy, .permissions = {}};
    world.recheck();
    CHECK(world.ended(true) == (policy ? "FORBIDDEN_ACCESS" : "AUTH_ERROR"));
  }
}

TEST_CASE("what it rests on cannot be looked up") {
  World world;
  world.connect();
  world.verdict = Refusal{.reason = Reason::server_unavailable, .why = "broken", .permissions = {}};
  world.recheck();
  CHECK(world.ended(true) == "SERVER_ERROR");
}

// The proof of a signed WebSocket; of a certificate it is an authentication that fails.
TEST_CASE("the time of what it has proved is over") {
  for (const bool is_signed : {false, true}) {
    World world({}, is_signed ? std::make_shared<const Signed>() : nullptr);
    world.connect();
    world.verdict = Refusal{.why = "over", .permissions = {}, .expired = true};
    world.recheck();
    CHECK(world.ended(true) == (is_signed ? "WEBSOCKET_TTL_EXPIRATION" : "AUTH_ERROR"));
  }
}

// MQTT 3.1.1 knows no PUBACK that says no.
TEST_CASE("more than a queue takes") {
  Profile profile;
  profile.queue_messages_max = 1;
  World world(profile);
  Client away(world.broker, "away");
  away.connect.session_expiry_seconds = 60;
  away.start();
  settle(world.broker, away);
  away.subscribe("queue", 1);
  settle(world.broker, away);
  away.disconnect();
  settle(world.broker, away);
  Client old(world.broker, "old", Version::v311);
  old.start();
  settle(world.broker, old, world.watcher);
  world.watcher.got.clear();
  old.publish("queue", "first", 1);
  old.publish("queue", "second", 1);
  settle(world.broker, old);
  CHECK(old.closed());
  CHECK(world.ended(false) == "THROTTLED");
}

TEST_CASE("an administrator ends it") {
  World world;
  world.connect();
  // The second connection: the first one of the second shard.
  bool kicked = false;
  world.broker.loops[1]->post([&] { kicked = world.broker.shards[1]->kick({1, 0, 1}); });
  world.talk();
  CHECK(kicked);
  CHECK(world.ended(true) == "API_INITIATED_DISCONNECT");
}

TEST_CASE("the server stops: told to sessions that are kept") {
  World world;
  Client keeps(world.broker, "watcher");
  keeps.connect.session_expiry_seconds = 600;
  keeps.connect.clean_start = false;
  world.watcher.disconnect();
  world.talk();
  keeps.start();
  settle(world.broker, keeps);
  keeps.subscribe("$aws/events/presence/disconnected/lamp", 1);
  settle(world.broker, keeps);
  keeps.disconnect();
  settle(world.broker, keeps);
  world.connect();
  for (std::size_t i = 0; i < world.broker.shards.size(); ++i) {
    world.broker.loops[i]->post([shard = world.broker.shards[i].get()] { shard->shut_down(); });
  }
  world.talk();
  CHECK(world.broker.total(Count::queued) == 1);
  CHECK(world.client.disconnected == Reason::server_shutting_down);
}

// ---- DeleteConnection

struct Dismissing {
  std::optional<bool> found;
  void ask(Broker& broker, const std::string& client_id, Keeper::Dismissal how) {
    const auto slot = partition::slot_of(partition::KeyKind::client_id, client_id);
    const auto home = static_cast<std::size_t>(
        partition::thread_of(slot, static_cast<int>(broker.shards.size())));
    broker.loops[home]->post([this, shard = broker.shards[home].get(), client_id, how] {
      shard->dismiss(client_id, how, [this](bool there) { found = there; });
    });
  }
};

TEST_CASE("an operation ends it, with its will or without") {
  for (const bool prevent : {false, true}) {
    World world;
    world.connect();
    Dismissing dismissing;
    dismissing.ask(world.broker, "lamp", {.clean_session = false, .prevent_will = prevent});
    CHECK(world.ended(!prevent) == "API_INITIATED_DISCONNECT");
    CHECK(dismissing.found == true);
    CHECK(world.client.disconnected == Reason::administrative_action);
  }
}

TEST_CASE("an operation ends the session, too, whether its client is here or away") {
  for (const bool away : {false, true}) {
    for (const bool clean : {false, true}) {
      World world;
      world.client.connect.session_expiry_seconds = 600;
      world.connect();
      if (away) {
        world.client.disconnect();
        world.talk();
      }
      CHECK(world.broker.total(Count::sessions) == 1);
      Dismissing dismissing;
      dismissing.ask(world.broker, "lamp", {.clean_session = clean, .prevent_will = false});
      world.talk();
      CHECK(dismissing.found == true);
      CHECK(world.broker.total(Count::sessions) == (clean ? 0 : 1));
    }
  }
}

TEST_CASE("an operation finds nobody") {
  World world;
  Dismissing dismissing;
  dismissing.ask(world.broker, "lamp", {});
  world.talk();
  CHECK(dismissing.found == false);
  CHECK(world.watcher.got.empty());
}

// While the claim waits for its grant, the operation ends it all the same, and is answered once.
TEST_CASE("an operation meets a client that is about to connect") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Broker broker(3, seed);
    SeededRandom random(seed);
    Client client(broker, "lamp"), rival(broker, "lamp");
    client.connect.session_expiry_seconds = 60;
    client.start();
    for (auto steps = random.below(20); steps > 0; --steps) broker.network.step();
    rival.start();
    for (auto steps = random.below(20); steps > 0; --steps) broker.network.step();
    Dismissing dismissing;
    dismissing.ask(broker, "lamp", {.clean_session = true, .prevent_will = false});
    settle(broker, client, rival);
    CHECK(dismissing.found.has_value());
    Client after(broker, "lamp");
    after.start();
    settle(broker, client, rival, after);
    CHECK(after.connack == Reason::success);
  }
}

// ---- CONNECTs that fail

TEST_CASE("policies refuse the CONNECT, or its will") {
  for (const bool by_will : {false, true}) {
    World world;
    if (by_will) {
      world.verdict = Identity{"somebody", std::make_shared<const Little>()};
      world.client.connect.will->topic = "not";
    } else {
      world.verdict = Refusal{.why = "no",
                              .policy = true,
                              .permissions = {},
                              .expired = false,
                              .principal = "somebody"};
    }
    world.client.start();
    world.talk();
    CHECK(world.client.connack == Reason::not_authorized);
    REQUIRE(world.watcher.got.size() == 1);
    CHECK(world.watcher.got[0].topic == "$aws/events/presence/connect_failed/lamp");
    const std::string& told = world.watcher.got[0].payload;
    CHECK(told.find("\"connectFailureReason\":\"AUTHORIZATION_FAILED\"") != std::string::npos);
    CHECK(told.find("\"principalIdentifier\":\"somebody\"") != std::string::npos);
  }
  World world;  // of whom nobody knows who it is, nothing is told
  world.verdict = Refusal{.why = "no", .permissions = {}};
  world.client.start();
  world.talk();
  CHECK(world.client.connack == Reason::not_authorized);
  CHECK(world.watcher.got.empty());
}

// ---- a crash

// What had something durable is told once, after the grace period, unless the client is back.
TEST_CASE("the server is killed while clients are connected") {
  for (const bool back : {false, true}) {
    CAPTURE(back);
    Profile profile;
    profile.will_grace = std::chrono::seconds(30);
    Broker broker(3, 1, profile, std::make_unique<store::LossyStore>());
    SeededRandom random(1);
    std::vector<std::unique_ptr<Client>> clients;
    for (const char* id : {"kept", "willing", "clean"}) {
      Client& client = *clients.emplace_back(std::make_unique<Client>(broker, id));
      if (std::string(id) == "kept") client.connect.session_expiry_seconds = 600;
      if (std::string(id) == "willing") {
        client.connect.will = mqtt::Will();
        client.connect.will->topic = "will";
      }
      client.start();
      broker.run();
      client.poll();
      REQUIRE(client.connack == Reason::success);
    }
    for (auto& client : clients) client->drop();
    broker.crash(random);
    Client watcher(broker, "watcher");
    watcher.start();
    settle(broker, watcher);
    watcher.subscribe("$aws/events/presence/#");
    settle(broker, watcher);
    REQUIRE(watcher.subacks.size() == 1);
    Client kept(broker, "kept");
    kept.connect.session_expiry_seconds = 600;
    kept.connect.clean_start = false;
    if (back) {
      kept.start();
      broker.run();
      kept.poll();
      REQUIRE(kept.session_present);
    }
    watcher.poll();
    REQUIRE(watcher.got.size() == (back ? 1 : 0));
    if (back) CHECK(watcher.got[0].topic == "$aws/events/presence/connected/kept");
    watcher.got.clear();
    for (int i = 0; i < 2; ++i) {
      broker.network.advance(std::chrono::seconds(31));
      broker.run();
      watcher.poll();
    }
    std::vector<std::string> told;
    for (const Got& got : watcher.got) {
      told.push_back(got.topic.substr(got.topic.rfind('/') + 1));
      CHECK(got.topic.starts_with("$aws/events/presence/disconnected/"));
      CHECK(got.payload.find("\"disconnectReason\":\"SERVER_ERROR\"") != std::string::npos);
      CHECK(got.payload.find("\"principalIdentifier\":\"somebody\"") != std::string::npos);
      CHECK(got.payload.find("\"versionNumber\":0}") != std::string::npos);
    }
    std::sort(told.begin(), told.end());
    CHECK(told == (back ? std::vector<std::string>{"willing"}
                        : std::vector<std::string>{"kept", "willing"}));
    // And after another start nothing of it is left.
    watcher.drop();
    if (back) kept.disconnect();
    broker.run();
    static_cast<void>(broker.store->sync());
    broker.crash(random);
    Client again(broker, "watcher");
    again.start();
    settle(broker, again);
    again.subscribe("$aws/events/presence/#");
    settle(broker, again);
    REQUIRE(again.subacks.size() == 1);
    broker.network.advance(std::chrono::seconds(31));
    broker.run();
    again.poll();
    CHECK(again.got.empty());
  }
}

}  // namespace
}  // namespace gnomon::broker
