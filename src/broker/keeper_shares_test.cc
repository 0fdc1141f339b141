// Share groups, one matter at a time. All of it together: share_model_test.cc.
#include <algorithm>

#include <doctest/doctest.h>

#include "broker/durable_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using mqtt::Version;
using testing::Broker;
using testing::Client;
using testing::Device;
using testing::Recorder;

constexpr std::uint32_t hour = 3600;
const std::string group = "$share/g/t/#";

struct Party {
  Recorder recorder;
  Device device;
  explicit Party(const std::string& id) : device(recorder, id, Version::v5) {}
  void join(Broker& broker, bool persistent, std::uint8_t qos, std::uint16_t window = 100) {
    device.settings.receive_maximum = window;
    device.connect(broker, !persistent, persistent ? hour : 0);
    listen(broker);
    device.subscribe(group, qos);
    listen(broker);
    REQUIRE(recorder.subscriptions == 1);
  }
  void listen(Broker& broker) {
    broker.run();
    device.poll();
  }
};

template <class... P>
void talk(Broker& broker, P&... parties) {
  for (int round = 0; round < 8; ++round) {
    broker.run();
    ((parties.device.poll(), parties.device.answer(SIZE_MAX)), ...);
  }
  broker.run();
}

int records(Broker& broker, records::Table table) {
  int count = 0;
  const std::string begin(1, static_cast<char>(table));
  static_cast<void>(broker.store->scan(begin, records::behind(begin), [&](auto, auto) {
    ++count;
    return true;
  }));
  return count;
}

TEST_CASE("one member of each group gets a message, and everybody with a plain subscription") {
  for (const int shards : {1, 3}) {
    for (const bool persistent : {false, true}) {
      Broker broker(shards);
      Party a("a"), b("b"), plain("plain"), pub("pub");
      a.join(broker, persistent, 2);
      b.join(broker, !persistent, 2);
      plain.device.connect(broker, true, 0);
      pub.device.connect(broker, true, 0);
      talk(broker, plain, pub);
      plain.device.subscribe("t/#", 0);
      b.device.subscribe("$share/other/t/+", 1);
      talk(broker, plain, b);
      for (int i = 0; i < 12; ++i) {
        pub.device.publish("t/x", std::to_string(i), static_cast<std::uint8_t>(i % 3), false, {});
      }
      talk(broker, a, b, plain, pub);
      CHECK(plain.recorder.receipts.size() == 12);
      CHECK(a.recorder.receipts.size() == 6);
      CHECK(b.recorder.receipts.size() == 6 + 12);
      CHECK(pub.recorder.acknowledgements.size() == 8);
      CHECK(broker.total(Count::share_members) == 3);
    }
  }
}

TEST_CASE("QoS 1 that a member has not acknowledged goes to another when it goes") {
  for (const bool persistent : {false, true}) {
    Broker broker(2);
    Party a("a"), b("b"), pub("pub");
    a.join(broker, persistent, 1);
    pub.device.connect(broker, true, 0);
    talk(broker, pub);
    for (int i = 0; i < 3; ++i) pub.device.publish("t/x", std::to_string(i), 1, false, {});
    a.listen(broker);
    REQUIRE(a.recorder.receipts.size() == 3);
    b.join(broker, true, 1);
    CHECK(b.recorder.receipts.empty());
    a.device.drop();
    talk(broker, b, pub);
    REQUIRE(b.recorder.receipts.size() == 3);
    for (int i = 0; i < 3; ++i) {
      CHECK(b.recorder.receipts[static_cast<std::size_t>(i)].payload == std::to_string(i));
    }
    CHECK(broker.total(Count::shared_returned) == 3);
  }
}

// Its window is full with what is its own, so what the group gives waits in the connection.
TEST_CASE("QoS 2 that a clean member could not be sent goes to another") {
  Broker broker(2);
  Party a("a"), b("b"), pub("pub");
  a.join(broker, false, 2, 1);
  a.device.subscribe("own", 1);
  a.listen(broker);
  pub.device.connect(broker, true, 0);
  talk(broker, pub);
  pub.device.publish("own", "mine", 1, false, {});
  a.listen(broker);
  pub.device.publish("t/x", "ours", 2, false, {});
  a.listen(broker);
  REQUIRE(a.recorder.receipts.size() == 1);
  b.join(broker, false, 2);
  a.device.drop();
  talk(broker, b, pub);
  REQUIRE(b.recorder.receipts.size() == 1);
  CHECK(b.recorder.receipts[0].payload == "ours");
}

// Wherever the message is when the member goes, somebody has been sent it, and nobody else.
TEST_CASE("QoS 2 to a clean member that says goodbye is sent once") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    for (const int shards : {1, 3}) {
      for (const bool kept : {false, true}) {
        CAPTURE(seed);
        CAPTURE(shards);
        CAPTURE(kept);
        Broker broker(shards, seed, {}, std::make_unique<store::LossyStore>());
        SeededRandom random(seed);
        Client leaving(broker, "leaving");
        leaving.start();
        Party b("b"), pub("pub");
        testing::settle(broker, leaving);
        leaving.subscribe(group, 2);
        testing::settle(broker, leaving);
        b.join(broker, kept, 2);
        pub.device.connect(broker, true, 0);
        talk(broker, b, pub);
        for (int i = 0; i < 4; ++i) pub.device.publish("t/x", std::to_string(i), 2, false, {});
        for (auto steps = random.below(40); steps > 0; --steps) broker.network.step();
        if (random.below(2) == 0) static_cast<void>(broker.sync());
        // Past the client's own machine, which would read nothing after it.
        constexpr std::uint8_t disconnect[] = {0xE0, 0x00};
        leaving.send_raw(disconnect);
        talk(broker, b, pub);
        leaving.poll();
        std::string got;
        for (const auto& each : leaving.got) got += each.payload;
        for (const auto& each : b.recorder.receipts) got += each.payload;
        std::sort(got.begin(), got.end());
        CHECK(got == "0123");
      }
    }
  }
}

TEST_CASE("a window of one is shared by a session's queue and its groups, in turn") {
  Broker broker(2);
  Party a("a"), pub("pub");
  a.join(broker, true, 1, 1);
  pub.device.connect(broker, true, 0);
  for (const char* filter : {"own", "$share/g2/t/#", "$share/g3/t/#"}) {
    a.device.subscribe(filter, 1);
    talk(broker, a, pub);
  }
  for (int i = 0; i < 6; ++i) {
    pub.device.publish("own", "own", 1, false, {});
    pub.device.publish("t/x", "group", 1, false, {});
  }
  a.listen(broker);
  CHECK(a.recorder.receipts.size() == 1);
  for (int i = 0; i < 8; ++i) talk(broker, a, pub);
  const auto& receipts = a.recorder.receipts;
  REQUIRE(receipts.size() == 6 + 3 * 6);
  std::size_t last = 0;
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    if (receipts[i].topic == "own") last = i;
  }
  CHECK(last < 14);
  const auto is_group = [](const auto& receipt) { return receipt.topic == "t/x"; };
  CHECK(std::count_if(receipts.begin(), receipts.begin() + 8, is_group) > 2);
}

// AWS IoT: what was queued while nobody was online comes slowly to each member.
TEST_CASE("members take at their rate what their group has stored while nobody was here") {
  Profile profile;
  profile.rates.shared_out = 20;
  Broker broker(3, 1, profile);
  Party a("a"), b("b"), pub("pub");
  for (Party* each : {&a, &b}) each->device.connect(broker, false, hour);
  pub.device.connect(broker, true, 0);
  talk(broker, a, b, pub);
  for (Party* each : {&a, &b}) each->device.subscribe(group, 1);
  talk(broker, a, b, pub);
  for (Party* each : {&a, &b}) each->device.disconnect();
  talk(broker, pub);
  for (int i = 0; i < 100; ++i) pub.device.publish("t/x", "stored", 1, false, {});
  talk(broker, pub);
  a.device.connect(broker, false, hour);
  talk(broker, a, pub);
  CHECK(a.recorder.receipts.size() == 20);
  broker.network.advance(std::chrono::milliseconds(500));
  talk(broker, a, pub);
  CHECK(a.recorder.receipts.size() == 30);
  b.device.connect(broker, false, hour);
  talk(broker, a, b, pub);
  CHECK(b.recorder.receipts.size() == 20);
  for (int i = 0; i < 13; ++i) {
    broker.network.advance(std::chrono::milliseconds(100));
    talk(broker, a, b, pub);
  }
  CHECK(a.recorder.receipts.size() + b.recorder.receipts.size() == 100);
  for (int i = 0; i < 60; ++i) pub.device.publish("t/x", "live", 1, false, {});
  talk(broker, a, b, pub);
  CHECK(a.recorder.receipts.size() + b.recorder.receipts.size() == 160);
  CHECK(broker.total(Count::queued) == 0);
}

TEST_CASE("a group has as many members as the profile says, and says no to others") {
  Profile profile;
  profile.share_members_max = 2;
  for (const bool persistent : {false, true}) {
    Broker broker(3, 1, profile);
    Client a(broker, "a"), b(broker, "b"), c(broker, "c"), old(broker, "old", Version::v31);
    for (Client* each : {&a, &b, &c}) {
      each->connect.clean_start = !persistent;
      if (persistent) each->connect.session_expiry_seconds = hour;
    }
    for (Client* each : {&a, &b, &c, &old}) each->start();
    settle(broker, a, b, c, old);
    for (Client* each : {&a, &b, &a}) each->subscribe(group, 1);  // again: no further member
    settle(broker, a, b);
    CHECK(a.subacks == std::vector<Reason>{Reason::granted_qos1, Reason::granted_qos1});
    c.subscribe(group, 1);
    c.subscribe("$share/other/t/#", 1);
    old.subscribe(group, 1);
    settle(broker, c, old);
    CHECK(c.subacks == std::vector<Reason>{Reason::quota_exceeded, Reason::granted_qos1});
    CHECK(old.closed());  // MQTT 3.1 cannot be told
    CHECK(broker.total(Count::subscribe_refused_quota) == 2);
    CHECK(records(broker, records::Table::subscription) == (persistent ? 3 : 0));
    // It is none: there is nothing to leave, and it may try again when there is room.
    c.unsubscribe(group);
    a.unsubscribe(group);
    settle(broker, a, c);
    CHECK(c.unsubacks == std::vector<Reason>{Reason::no_subscription_existed});
    c.subscribe(group, 1);
    settle(broker, c);
    CHECK(c.subacks.back() == Reason::granted_qos1);
  }
}

TEST_CASE("what is retained is not replayed, and published live it keeps the flag on request") {
  Broker broker(2);
  Party pub("pub");
  pub.device.connect(broker, true, 0);
  talk(broker, pub);
  pub.device.publish("t/x", "old", 1, true, {});
  talk(broker, pub);
  Client plain(broker, "plain"), as_published(broker, "as_published");
  plain.start();
  as_published.start();
  as_published.retain_as_published = true;
  testing::settle(broker, plain, as_published);
  plain.subscribe("$share/one/t/x", 1);
  as_published.subscribe("$share/two/t/x", 1);
  testing::settle(broker, plain, as_published);
  CHECK(plain.got.empty());
  CHECK(as_published.got.empty());
  pub.device.publish("t/x", "new", 1, true, {});
  talk(broker, pub);
  testing::settle(broker, plain, as_published);
  REQUIRE(plain.got.size() == 1);
  REQUIRE(as_published.got.size() == 1);
  CHECK_FALSE(plain.got[0].retain);
  CHECK(as_published.got[0].retain);
}

TEST_CASE("a group ends with its last member, and leaves nothing behind") {
  Broker broker(2, 1, {}, std::make_unique<store::LossyStore>());
  SeededRandom random(1);
  Party a("a"), b("b"), pub("pub");
  a.join(broker, true, 1);
  b.join(broker, true, 1);
  a.device.drop();
  b.device.drop();
  pub.device.connect(broker, true, 0);
  talk(broker, pub);
  for (int i = 0; i < 50; ++i) pub.device.publish("t/x", std::to_string(i), 1, false, {});
  talk(broker, pub);
  REQUIRE(pub.recorder.acknowledgements.size() == 50);
  CHECK(records(broker, records::Table::group) == 50);
  CHECK(broker.total(Count::queued) == 50);
  a.device.connect(broker, true, 0);  // its session ends
  b.device.settings.receive_maximum = 3;
  b.device.connect(broker, false, hour);
  b.listen(broker);
  CHECK(b.recorder.receipts.size() == 3);
  b.device.unsubscribe(group);
  talk(broker, b);
  pub.device.publish("t/x", "nobody's", 1, false, {});
  talk(broker, b, pub);
  CHECK(b.recorder.receipts.size() <= 6);  // what was on its way
  for (const auto table : {records::Table::group, records::Table::share, records::Table::hand}) {
    CHECK(records(broker, table) == 0);
  }
  CHECK(broker.total(Count::share_members) == 0);
  CHECK(broker.total(Count::queued) == 0);
  CHECK(broker.total(Count::filters) == 0);
}

TEST_CASE("a full group refuses its publisher, as a full session does") {
  Profile profile;
  profile.queue_messages_max = 3;
  Broker broker(2, 1, profile);
  Party a("a");
  a.join(broker, true, 1);
  a.device.drop();
  Client pub(broker, "pub");
  pub.start();
  testing::settle(broker, pub);
  for (int i = 0; i < 5; ++i) pub.publish("t/x", std::to_string(i), 1);
  broker.run();
  pub.poll();
  using mqtt::Reason;
  CHECK(pub.pubacks == std::vector<Reason>{Reason::success, Reason::success, Reason::success,
                                           Reason::quota_exceeded, Reason::quota_exceeded});
}

TEST_CASE("messages that expire in a group's queue are not delivered") {
  Broker broker(1);
  Party a("a");
  a.join(broker, true, 1);
  a.device.drop();
  Client pub(broker, "pub");
  pub.start();
  testing::settle(broker, pub);
  pub.expiry = 5;
  pub.publish("t/x", "short", 1);
  pub.expiry.reset();
  pub.publish("t/x", "long", 1);
  testing::settle(broker, pub);
  broker.run();
  broker.network.advance(std::chrono::seconds(6));
  a.device.connect(broker, false, hour);
  talk(broker, a);
  REQUIRE(a.recorder.receipts.size() == 1);
  CHECK(a.recorder.receipts[0].payload == "long");
  CHECK(broker.total(Count::dropped_expired) == 1);
}

}  // namespace
}  // namespace gnomon::broker
