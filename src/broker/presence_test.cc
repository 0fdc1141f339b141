// What is told of who comes and goes: its words, its numbers, its order.
#include "broker/presence.h"

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "broker/broker_fixture.h"
#include "broker/keeper_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using mqtt::Version;
using testing::Broker;
using testing::Client;
using testing::Got;
using testing::Host;
using testing::settle;

// ---- words

TEST_CASE("events as AWS IoT writes them") {
  runtime::Peer peer;
  const std::uint8_t ip[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1};
  std::copy(std::begin(ip), std::end(ip), std::begin(peer.ip));
  SessionIdentifier session;
  session.fill(0xFF);
  PresenceChange change{.client_id = "a\"b",
                        .connected = true,
                        .at = {1'573'002'230'757},
                        .version = 7,
                        .session = session,
                        .principal = "p",
                        .peer = &peer};
  CHECK(event_of(change) ==
        R"({"clientId":"a\"b","timestamp":1573002230757,"eventType":"connected",)"
        R"("sessionIdentifier":"ffffffff-ffff-4fff-bfff-ffffffffffff","principalIdentifier":"p",)"
        R"("ipAddress":"192.0.2.1","versionNumber":7})");
  change.connected = false;
  change.why = DisconnectReason::duplicate_client_id;
  CHECK(event_of(change) ==
        R"({"clientId":"a\"b","timestamp":1573002230757,"eventType":"disconnected",)"
        R"("clientInitiatedDisconnect":false,)"
        R"("sessionIdentifier":"ffffffff-ffff-4fff-bfff-ffffffffffff","principalIdentifier":"p",)"
        R"("disconnectReason":"DUPLICATE_CLIENTID","versionNumber":7})");
  change.why = DisconnectReason::client_initiated_disconnect;
  CHECK(event_of(change).find(R"("clientInitiatedDisconnect":true)") != std::string::npos);
  CHECK(event_of(FailedConnect{"c", {5}, session, "p", peer}) ==
        R"({"clientId":"c","timestamp":5,"eventType":"connect_failed",)"
        R"("connectFailureReason":"AUTHORIZATION_FAILED",)"
        R"("sessionIdentifier":"ffffffff-ffff-4fff-bfff-ffffffffffff","principalIdentifier":"p",)"
        R"("ipAddress":"192.0.2.1"})");
  const std::vector<std::string> topics{"foo/bar", "#"};
  CHECK(event_of(SubscriptionEvent{"c", true, {5}, session, "p", topics}) ==
        R"({"clientId":"c","timestamp":5,"eventType":"subscribed",)"
        R"("sessionIdentifier":"ffffffff-ffff-4fff-bfff-ffffffffffff","principalIdentifier":"p",)"
        R"("topics":["foo/bar","#"]})");
}

TEST_CASE("topics of events; none of client ids that hold a wildcard") {
  CHECK(event_topic(EventKind::connected, "a/b") == "$aws/events/presence/connected/a/b");
  CHECK(event_topic(EventKind::unsubscribed, "c") == "$aws/events/subscriptions/unsubscribed/c");
  for (const char* none : {"a+", "#", "a/#/b"}) {
    CHECK(event_topic(EventKind::connected, none).empty());
  }
  CHECK(event_topic(EventKind::connected, std::string(65'535, 'x')).empty());
  for (const char* filter : {"$aws/events/presence/#", "$aws/+/presence/connected/c", "$aws/#"}) {
    CHECK(may_want_events(filter));
  }
  for (const char* filter : {"#", "+/events/#", "$aws/things/+/shadow/#", "$aws", "$SYS/#"}) {
    CHECK_FALSE(may_want_events(filter));
  }
}

// ---- numbers

constexpr auto hour = limits::versions_remembered;

TEST_CASE("versions grow, and begin anew after an hour or two") {
  Versions versions(0);
  Instant now{1'000};
  for (std::uint64_t n = 0; n < 3; ++n) {
    CHECK(versions.next("a", now) == n);
    versions.left("a", n, now);
    now = now + hour - std::chrono::seconds(1);
  }
  CHECK(versions.next("b", now) == 0);
  CHECK(versions.remembered() == 1);
  now = now + 2 * hour;
  CHECK(versions.next("a", now) == 0);
  CHECK(versions.remembered() == 0);
}

TEST_CASE("versions of a later run lie above those of earlier ones, for an hour") {
  Versions versions(1 << 20);
  Instant now{1'000};
  CHECK(versions.next("a", now) == 1 << 20);
  versions.left("a", 1 << 20, now);
  now = now + hour;
  CHECK(versions.next("b", now) == 0);
  CHECK(versions.next("a", now) == (1 << 20) + 1);
}

TEST_CASE("of whom is forgotten early, versions do not fall") {
  Versions versions(0);
  const Instant now{1'000};
  for (std::uint64_t n = 0; n < 5; ++n) {
    CHECK(versions.next("often", now) == n);
    versions.left("often", n, now);
  }
  for (std::size_t i = 0; i < 3 * limits::versions_remembered_max; ++i) {
    const std::string id = std::to_string(i);
    versions.left(id, versions.next(id, now), now);
  }
  CHECK(versions.remembered() <= 2 * limits::versions_remembered_max);
  CHECK(versions.next("often", now) >= 5);
  CHECK(versions.next("often", now + 3 * hour) == 0);
}

// ---- order

struct Event {
  std::string type, client, session, reason;
  std::uint64_t version = 0;
};

std::string field(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const std::size_t at = json.find(key);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + key.size();
  if (json[begin] == '"') return json.substr(begin + 1, json.find('"', begin + 1) - begin - 1);
  return json.substr(begin, json.find_first_of(",}", begin) - begin);
}

Event event_from(const std::string& json) {
  Event event{field(json, "eventType"), field(json, "clientId"), field(json, "sessionIdentifier"),
              field(json, "disconnectReason"), 0};
  const std::string version = field(json, "versionNumber");
  if (!version.empty()) event.version = std::stoull(version);
  return event;
}

std::vector<Event> events_of(Client& client) {
  std::vector<Event> events;
  for (const Got& got : std::exchange(client.got, {})) events.push_back(event_from(got.payload));
  return events;
}

std::unique_ptr<Client> watcher_of(Broker& broker, const std::string& filter,
                                   std::uint8_t qos = 0) {
  auto client = std::make_unique<Client>(broker, "watcher");
  client->start();
  settle(broker, *client);
  client->subscribe(filter, qos);
  settle(broker, *client);
  REQUIRE(client->subacks.size() == 1);
  return client;
}

// Rivals for a few client ids that meet on all shards at any time: of each id what is told is one
// connection after the other, each with its own number, whatever the order of mail.
TEST_CASE("what is told of a client id comes in order") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Broker broker(3, seed);
    SeededRandom random(seed);
    const auto watcher = watcher_of(broker, "$aws/events/presence/#", seed % 2 == 0 ? 1 : 0);
    std::vector<std::unique_ptr<Client>> rivals;
    for (int i = 0; i < 40; ++i) {
      const std::string id = "rival-" + std::to_string(random.below(3));
      Client& client = *rivals.emplace_back(std::make_unique<Client>(broker, id));
      client.connect.clean_start = random.below(2) == 0;
      if (random.below(3) == 0) client.connect.session_expiry_seconds = 60;
      mqtt::Will will;
      will.topic = "will";
      if (random.below(3) == 0) client.connect.will = will;
      client.start();
      for (std::uint64_t steps = random.below(12); steps > 0; --steps) broker.network.step();
      for (auto& rival : rivals) rival->poll();
      if (random.below(4) == 0) rivals[random.below(rivals.size())]->drop();
    }
    for (auto& rival : rivals) {
      settle(broker, *watcher, *rival);
      rival->drop();
    }
    settle(broker, *watcher);
    std::map<std::string, Event> last;
    for (const Event& event : events_of(*watcher)) {
      CAPTURE(event.client);
      const auto before = last.find(event.client);
      if (event.type == "connected") {
        if (before != last.end()) {
          REQUIRE(before->second.type == "disconnected");
          CHECK(before->second.version < event.version);
          CHECK(before->second.session != event.session);
        }
      } else {
        REQUIRE(event.type == "disconnected");
        REQUIRE(before != last.end());
        REQUIRE(before->second.type == "connected");
        CHECK(before->second.version == event.version);
        CHECK(before->second.session == event.session);
      }
      last[event.client] = event;
    }
    CHECK(last.size() == 3);
    for (const auto& [id, event] : last) CHECK(event.type == "disconnected");
  }
}

TEST_CASE("a take-over tells the end of the old one before the new one") {
  Broker broker(3);
  const auto watcher = watcher_of(broker, "$aws/events/presence/+/lamp");
  Client old(broker, "lamp"), now(broker, "lamp");
  old.start();
  settle(broker, old, *watcher);
  now.start();
  settle(broker, old, now, *watcher);
  const auto events = events_of(*watcher);
  REQUIRE(events.size() == 3);
  CHECK(events[0].type == "connected");
  CHECK(events[1].reason == "DUPLICATE_CLIENTID");
  CHECK(events[1].version == events[0].version);
  CHECK(events[2].type == "connected");
  CHECK(events[2].version == events[0].version + 1);
}

// ---- what it costs

TEST_CASE("nothing is written that nobody wants") {
  Broker broker(2);
  const auto watcher = watcher_of(broker, "$aws/events/presence/connected/other");
  Client client(broker, "lamp");
  client.start();
  settle(broker, client);
  client.subscribe("a");
  client.unsubscribe("a");
  settle(broker, client);
  client.drop();
  settle(broker, *watcher);
  CHECK(broker.total(Count::presence_events) == 0);
  CHECK(watcher->got.empty());
  watcher->unsubscribe("$aws/events/presence/connected/other");
  settle(broker, *watcher);
  Client other(broker, "other");
  other.start();
  settle(broker, other, *watcher);
  CHECK(watcher->got.empty());
  CHECK(broker.total(Count::presence_events) == 0);
}

TEST_CASE("a client id with a wildcard in it connects, and nothing is told") {
  Broker broker(2);
  const auto watcher = watcher_of(broker, "$aws/events/#");
  for (const char* id : {"a#", "b/+"}) {
    Client client(broker, id);
    client.start();
    settle(broker, client, *watcher);
    CHECK(client.connack == Reason::success);
    client.subscribe("x");
    settle(broker, client, *watcher);
    client.drop();
    settle(broker, *watcher);
  }
  CHECK(watcher->got.empty());
}

// ---- subscriptions

TEST_CASE("what was subscribed to and what ended is told, but for what was refused") {
  for (const std::uint32_t expiry : {0U, 60U}) {
    CAPTURE(expiry);
    Broker broker(3);
    const auto watcher = watcher_of(broker, "$aws/events/#");
    Client client(broker, "lamp");
    client.connect.session_expiry_seconds = expiry;
    client.start();
    settle(broker, client, *watcher);
    const std::string session = field(watcher->got.at(0).payload, "sessionIdentifier");
    watcher->got.clear();
    client.subscribe("a/b");
    settle(broker, client, *watcher);
    client.subscribe("$share/g/a");
    settle(broker, client, *watcher);
    client.subscribe("a/#/b");  // refused
    settle(broker, client, *watcher);
    client.unsubscribe("a/b");
    settle(broker, client, *watcher);
    client.unsubscribe("never");
    settle(broker, client, *watcher);
    REQUIRE(watcher->got.size() == 3);
    CHECK(watcher->got[0].topic == "$aws/events/subscriptions/subscribed/lamp");
    CHECK(watcher->got[0].payload.ends_with("\"topics\":[\"a/b\"]}"));
    CHECK(watcher->got[1].payload.ends_with("\"topics\":[\"$share/g/a\"]}"));
    CHECK(watcher->got[2].topic == "$aws/events/subscriptions/unsubscribed/lamp");
    CHECK(watcher->got[2].payload.ends_with("\"topics\":[\"a/b\"]}"));
    for (const Got& got : watcher->got) CHECK(field(got.payload, "sessionIdentifier") == session);
  }
}

TEST_CASE("more filters than one message should hold are told in several") {
  Host host;
  Profile profile;
  Counters counters;
  const auto store = store::make_memory_store();
  Keeper keeper({.id = 0,
                 .threads = 1,
                 .run = 1,
                 .seed = 1,
                 .profile = profile,
                 .store = *store,
                 .host = host,
                 .counters = counters,
                 .random = host.random});
  Claim claim;
  claim.client_id = "c";
  claim.expiry_seconds = 60;
  keeper.handle(claim);
  SubscriptionsChanged changed{"c", {}, "p", true, {}};
  for (int i = 0; i < 10; ++i) changed.filters.emplace_back(limits::event_topics_bytes / 2, 'x');
  keeper.handle(changed);
  CHECK(host.published.size() == 5);
}

// ---- who follows it

class Follower final : public PresenceObserver {
 public:
  void presence(const PresenceChange& change, store::Batch& batch) override {
    told.push_back({change.connected ? "connected" : "disconnected", std::string(change.client_id),
                    to_uuid(change.session), std::string(name_of(change.why)), change.version});
    batch.operations.emplace_back(
        store::Put{"followed " + std::string(change.client_id), change.connected ? "1" : "0"});
  }
  std::vector<Event> told;
};

TEST_CASE("an observer is told in order, with the batch of that home, and again if it asks") {
  Follower follower;
  Broker broker(3, 1, {}, nullptr, nullptr, &follower);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 50; ++i) {
    Client& client = *clients.emplace_back(
        std::make_unique<Client>(broker, i == 0 ? "a#" : "c" + std::to_string(i)));
    client.start();
    settle(broker, client);
  }
  clients[1]->disconnect();
  settle(broker, *clients[1]);
  CHECK(broker.total(Count::presence_events) == 0);
  REQUIRE(follower.told.size() == 51);
  CHECK(follower.told[0].client == "a#");
  CHECK(follower.told[50].client == "c1");
  CHECK(follower.told[50].reason == "CLIENT_INITIATED_DISCONNECT");
  CHECK(broker.store->get("followed c1").value() == "0");
  CHECK(broker.store->get("followed c2").value() == "1");

  std::map<std::string, std::string> sessions;
  for (const Event& event : std::exchange(follower.told, {}))
    sessions[event.client] = event.session;
  int all_told = 0;
  for (std::size_t i = 0; i < broker.shards.size(); ++i)
    broker.loops[i]->post([shard = broker.shards[i].get(), &all_told] {
      shard->tell_connected([&] { ++all_told; });
    });
  broker.run();
  CHECK(all_told == 3);
  CHECK(follower.told.size() == 49);
  for (const Event& event : follower.told) {
    CHECK(event.type == "connected");
    CHECK(event.client != "c1");
    CHECK(sessions[event.client] == event.session);
  }
}

}  // namespace
}  // namespace gnomon::broker
