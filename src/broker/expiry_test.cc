// When sessions end by themselves.
#include <doctest/doctest.h>

#include "broker/durable_fixture.h"
#include "broker/keeper_fixture.h"

namespace gnomon::broker {
namespace {

using std::chrono::hours;
using testing::Broker;
using testing::Device;
using testing::Host;
using testing::Recorder;

constexpr std::uint32_t never = UINT32_MAX;
constexpr hours year{24 * 365};

// A visit with a session that lasts so long; true if there was one.
bool visit(Broker& broker, const std::string& id, std::uint32_t expiry) {
  Recorder recorder;
  Device device(recorder, id, mqtt::Version::v5);
  device.connect(broker, false, expiry);
  broker.run();
  device.poll();
  device.disconnect();
  broker.run();
  return recorder.present;
}

// MQTT 5 §3.1.2.11.2: 0xFFFFFFFF means that the session does not expire, which no number of seconds
// means: 136 years do.
TEST_CASE("a session that does not expire, over a crash too; and one that does") {
  for (const bool crashes : {false, true}) {
    CAPTURE(crashes);
    Profile profile;
    profile.session_expiry_max_seconds = never;
    Broker broker(2, 1, profile, std::make_unique<store::LossyStore>());
    CHECK_FALSE(visit(broker, "never", never));
    CHECK_FALSE(visit(broker, "late", never - 1));
    const auto pass = [&](std::chrono::milliseconds by) {
      SeededRandom random(1);
      broker.network.clock().advance(std::chrono::minutes(2));
      broker.network.wall_clock().advance(by);
      if (crashes) broker.crash(random);
      broker.run();
      broker.network.advance(std::chrono::milliseconds(2));  // for the timer
      broker.run();
    };
    pass(130 * year);
    CHECK(broker.total(Count::sessions) == 2);
    pass(7 * year);
    CHECK(broker.total(Count::sessions) == 1);
    CHECK(visit(broker, "never", never));
    CHECK_FALSE(visit(broker, "late", 1));
    pass(std::chrono::minutes(1));
    CHECK(broker.total(Count::sessions) == 1);
    CHECK(visit(broker, "never", 1));
    pass(std::chrono::minutes(1));
    CHECK(broker.total(Count::sessions) == 0);
  }
}

struct Kept {
  explicit Kept(int subscriptions) : count(subscriptions) {
    come();
    Change change;
    change.session = {0, host.granted, host.generation};
    for (int i = 0; i < count; ++i) {
      Change::Entry& entry = change.entries.emplace_back();
      entry.filter = "t/" + std::to_string(i);
      entry.options.qos = 1;
    }
    keeper.handle(change);
    keeper.commit();
    REQUIRE(host.interest == count);
    keeper.handle(Release{"c", connection, false, {}});
    keeper.commit();
  }
  void come() {
    Claim claim;
    claim.client_id = "c";
    claim.connection = connection;
    claim.clean_start = false;
    claim.expiry_seconds = 10;
    keeper.handle(claim);
    keeper.commit();
  }
  std::size_t receivers(int i) {
    Route route;
    const std::string topic = "t/" + std::to_string(i);
    route.topic = topic;
    keeper.match(route);
    return route.kept.size();
  }
  std::size_t records() {
    std::size_t found = 0;
    const std::string begin(1, static_cast<char>(records::Table::subscription));
    const auto count_one = [&](auto, auto) { return ++found > 0; };
    REQUIRE(store->scan(begin, records::behind(begin), count_one).ok());
    return found;
  }

  const int count;
  const ConnectionRef connection{0, 0, 1};
  Profile profile;
  Host host;
  Counters counters;
  std::unique_ptr<store::Store> store = store::make_memory_store();
  Keeper keeper{{.id = 0,
                 .threads = 1,
                 .run = 1,
                 .seed = 1,
                 .profile = profile,
                 .store = *store,
                 .host = host,
                 .counters = counters,
                 .random = host.random}};
};

// One turn must not take out all that a session wanted: the thread has others to serve.
TEST_CASE("the end of a session with many subscriptions, in slices") {
  constexpr int slice = limits::filters_dropped_per_turn;
  for (const int count : {1, 64, 65, slice, 5 * slice + 1}) {
    CAPTURE(count);
    Kept kept(count);
    CHECK(kept.receivers(count - 1) == 1);
    CHECK(kept.records() == static_cast<std::size_t>(count));
    kept.host.time = kept.host.time + std::chrono::seconds(10);
    kept.keeper.expire();
    CHECK(kept.keeper.sessions() == 0);
    CHECK(kept.receivers(0) == 0);
    kept.keeper.commit();
    CHECK(kept.records() == 0);
    CHECK(kept.host.interest == std::max(0, count - slice));
    CHECK(kept.receivers(0) == 0);
    // The client is back meanwhile: in another place.
    const std::uint32_t place = kept.host.granted;
    kept.come();
    CHECK((kept.host.granted == place) == (count <= slice));
    for (int left = count - 2 * slice; left > 0; left -= slice) {
      CHECK(kept.keeper.has_news());
      CHECK(kept.host.interest == left);
      kept.keeper.commit();
    }
    kept.keeper.commit();
    CHECK_FALSE(kept.keeper.has_news());
    CHECK(kept.host.interest == 0);
    CHECK(kept.receivers(0) == 0);
  }
}

// A new session of the same client, while the old one is still on its way out.
TEST_CASE("a clean start into a session with many subscriptions gets what it wants itself") {
  constexpr int count = 2 * limits::filters_dropped_per_turn;
  Broker broker(2, 1, {}, std::make_unique<store::LossyStore>());
  Recorder heard, sent;
  Device sub(heard, "sub", mqtt::Version::v5), pub(sent, "pub", mqtt::Version::v5);
  const auto talk = [&] {
    broker.run();
    for (Device* device : {&sub, &pub}) {
      device->poll();
      device->answer(SIZE_MAX);
    }
    broker.run();
  };
  sub.connect(broker, false, 60);
  pub.connect(broker, true, 0);
  talk();
  for (int i = 0; i < count; ++i) {
    sub.subscribe("t/" + std::to_string(i), 1);
    if (i % 100 == 0) talk();
  }
  for (int i = 0; i < 8; ++i) talk();
  sub.connect(broker, true, 60);
  sub.subscribe("t/5", 1);
  sub.subscribe("t/" + std::to_string(count - 1), 1);
  for (int i = 0; i < 200; ++i) {
    pub.publish("t/" + std::to_string(i % 2 == 0 ? 5 : 6), std::to_string(i), 1, false, {});
    broker.network.step();
    if (i % 3 == 0) talk();
  }
  for (int i = 0; i < 8; ++i) talk();
  pub.publish("t/" + std::to_string(count - 1), "last", 1, false, {});
  for (int i = 0; i < 8; ++i) talk();
  REQUIRE_FALSE(heard.receipts.empty());
  CHECK(heard.receipts.back().payload == "last");
  heard.receipts.pop_back();
  REQUIRE_FALSE(heard.receipts.empty());
  int next = std::stoi(heard.receipts.front().payload);
  for (const Device::Receipt& receipt : heard.receipts) {
    CHECK(receipt.topic == "t/5");
    CHECK(receipt.payload == std::to_string(next));
    next += 2;
  }
  CHECK(next == 200);
}

}  // namespace
}  // namespace gnomon::broker
