// Persistent sessions, one matter at a time. All of it together: durable_model_test.cc.
#include "broker/keeper.h"

#include <doctest/doctest.h>

#include "broker/durable_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Version;
using testing::Broker;
using testing::Device;
using testing::Recorder;

constexpr std::uint32_t hour = 3600;

// A device with what it got.
struct Party {
  Recorder recorder;
  Device device;
  explicit Party(const std::string& id) : device(recorder, id, Version::v5) {}
};

// Runs until nobody has anything to say.
template <class... P>
void talk(Broker& broker, P&... parties) {
  for (int round = 0; round < 8; ++round) {
    broker.run();
    ((parties.device.poll(), parties.device.answer(SIZE_MAX)), ...);
  }
  broker.run();
}

std::unique_ptr<store::LossyStore> lossy() { return std::make_unique<store::LossyStore>(); }

// Client ids whose home is a given shard.
std::string id_at(int shard, int shards, int number = 0) {
  for (int i = 0;; ++i) {
    std::string id = "c" + std::to_string(i);
    const auto slot = partition::slot_of(partition::KeyKind::client_id, id);
    if (partition::thread_of(slot, shards) == shard && number-- == 0) return id;
  }
}

TEST_CASE("after a crash only what may have been sent has DUP") {
  Broker broker(1, 1, {}, lossy());
  SeededRandom random(1);
  Party sub("sub"), pub("pub");
  sub.device.connect(broker, false, hour);
  pub.device.connect(broker, false, hour);
  talk(broker, sub, pub);
  sub.device.subscribe("t", 1);
  talk(broker, sub, pub);
  pub.device.publish("t", "before", 1, false, {});
  broker.run();
  pub.device.poll();
  REQUIRE(pub.recorder.acknowledgements.size() == 1);
  sub.device.poll();  // and does not answer
  REQUIRE(sub.recorder.receipts.size() == 1);
  sub.device.drop();
  pub.device.drop();
  broker.crash(random);
  pub.device.connect(broker, false, hour);
  talk(broker, pub);
  pub.device.publish("t", "between", 1, false, {});
  talk(broker, pub);
  sub.device.connect(broker, false, hour);
  talk(broker, sub);
  REQUIRE(sub.recorder.receipts.size() == 3);
  CHECK(sub.recorder.receipts[1].payload == "before");
  CHECK(sub.recorder.receipts[1].dup);
  CHECK(sub.recorder.receipts[2].payload == "between");
  CHECK_FALSE(sub.recorder.receipts[2].dup);
}

TEST_CASE("a queue that was emptied before a restart begins anew, without DUP") {
  Broker broker(1, 1, {}, lossy());
  SeededRandom random(1);
  Party sub("sub"), pub("pub");
  sub.device.connect(broker, false, hour);
  pub.device.connect(broker, false, hour);
  talk(broker, sub, pub);
  sub.device.subscribe("t", 1);
  talk(broker, sub, pub);
  for (int i = 0; i < 5; ++i) pub.device.publish("t", "before", 1, false, {});
  talk(broker, sub, pub);
  REQUIRE(sub.recorder.receipts.size() == 5);
  sub.device.disconnect();
  talk(broker, pub);
  for (int crashes = 0; crashes < 2; ++crashes) {
    static_cast<void>(broker.store->sync());
    pub.device.drop();
    broker.crash(random);
    pub.device.connect(broker, false, hour);
    talk(broker, pub);
    pub.device.publish("t", "between", 1, false, {});
    talk(broker, pub);
  }
  sub.device.connect(broker, false, hour);
  talk(broker, sub);
  REQUIRE(sub.recorder.receipts.size() == 7);
  CHECK_FALSE(sub.recorder.receipts[5].dup);
  CHECK_FALSE(sub.recorder.receipts[6].dup);
}

// The subscriptions of a session are back before every shard knows of them, and CONNACK is last.
TEST_CASE("nothing is sent to a session that is resumed before its CONNACK") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Broker broker(3, seed);
    SeededRandom random(seed);
    Party sub("sub"), pub("pub");
    sub.device.connect(broker, false, hour);
    pub.device.connect(broker, true, 0);
    talk(broker, sub, pub);
    sub.device.subscribe("t", 0);
    talk(broker, sub, pub);
    sub.device.disconnect();
    talk(broker, pub);
    broker.next_shard = 1;
    sub.device.connect(broker, false, hour);
    for (int i = 0; i < 20; ++i) {
      pub.device.publish("t", "x", 0, false, {});
      for (std::uint64_t steps = random.below(4); steps > 0; --steps) broker.network.step();
      CHECK_NOTHROW(sub.device.poll());
    }
    talk(broker, sub, pub);
    CHECK(sub.recorder.present);
  }
}

// The next message would wait until that sync, of which nobody has anything, is over.
TEST_CASE("an entry that is erased while a sync is on its way asks for no other") {
  Broker broker(1, 1, {}, lossy());
  Party sub("sub"), pub("pub");
  sub.device.connect(broker, false, hour);
  pub.device.connect(broker, true, 0);
  talk(broker, sub, pub);
  sub.device.subscribe("t", 1);
  talk(broker, sub);
  pub.device.publish("t", "kept", 1, false, {});
  broker.network.run();
  CHECK(std::exchange(broker.syncer.requested, false));  // the syncer takes it, and syncs
  sub.device.poll();
  REQUIRE(sub.recorder.receipts.size() == 1);
  sub.device.answer(1);
  broker.network.run();
  CHECK_FALSE(broker.syncer.requested);
  broker.syncer.requested = true;
  broker.run();
  pub.device.poll();
  CHECK(pub.recorder.acknowledgements.size() == 1);
}

// What a page of a queue holds may lie in the log behind writes of others for which nobody waits:
// who reads it asks for the sync.
TEST_CASE("QoS 2 from a page does not wait for a sync that nobody asks for") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Broker broker(2, seed, {}, lossy());
    SeededRandom random(seed);
    Party sub(id_at(0, 2)), other(id_at(1, 2)), pub("pub");
    for (Party* party : {&sub, &other, &pub}) party->device.connect(broker, false, hour);
    talk(broker, sub, other, pub);
    sub.device.subscribe("t", 2);
    other.device.subscribe("u", 1);
    talk(broker, sub, other, pub);
    sub.device.disconnect();
    pub.device.publish("t", "kept", 2, false, {});
    pub.device.publish("u", "open", 1, false, {});
    talk(broker, pub);
    other.device.poll();
    REQUIRE(other.recorder.receipts.size() == 1);
    sub.device.connect(broker, false, hour);
    broker.network.run();
    broker.sync();
    for (std::uint64_t steps = random.below(8); steps > 0; --steps) broker.network.step();
    other.device.answer(1);  // erases its entry, and waits for nothing
    broker.run();
    sub.device.poll();
    REQUIRE(sub.recorder.receipts.size() == 1);
    CHECK(sub.recorder.receipts[0].payload == "kept");
  }
}

// It is stored between the claim of the session and its CONNACK, so it comes by a page; a
// subscriber that had it before it is durable could get it twice.
TEST_CASE("QoS 2 from a page leaves only when it is durable") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Broker broker(1, seed, {}, lossy());
    Party sub("sub"), pub("pub");
    sub.device.connect(broker, false, hour);
    pub.device.connect(broker, true, 0);
    talk(broker, sub, pub);
    sub.device.subscribe("t", 2);
    talk(broker, sub);
    sub.device.disconnect();
    talk(broker, pub);
    sub.device.connect(broker, false, hour);
    broker.network.run();
    pub.device.publish("t", "kept", 2, false, {});
    REQUIRE(broker.sync());  // of the claim
    broker.network.run();
    sub.device.poll();
    CHECK(sub.device.online());
    CHECK(sub.recorder.receipts.empty());
    broker.run();
    sub.device.poll();
    CHECK(sub.recorder.receipts.size() == 1);
  }
}

TEST_CASE("a promised value is retained although the disk has become full") {
  Broker broker(2, 1, {}, lossy());
  SeededRandom random(1);
  Party pub("pub"), reader("reader");
  pub.device.connect(broker, false, hour);
  talk(broker, pub);
  const auto slot = partition::slot_of(partition::KeyKind::client_id, "pub");
  // A topic whose slot is at the other shard: the message is on its way for a while.
  std::string topic = "t";
  while (partition::thread_of(partition::slot_of(partition::KeyKind::topic, topic), 2) ==
         partition::thread_of(slot, 2)) {
    topic += 't';
  }
  pub.device.publish(topic, "value", 2, true, {});
  while (!broker.syncer.requested) REQUIRE(broker.network.step());
  broker.lossy->set_accepting(false);
  talk(broker, pub);
  REQUIRE(pub.recorder.acknowledgements.size() == 1);
  broker.lossy->set_accepting(true);
  reader.device.connect(broker, true, 0);
  talk(broker, reader);
  reader.device.subscribe(topic, 0);
  talk(broker, reader);
  REQUIRE(reader.recorder.receipts.size() == 1);
  CHECK(reader.recorder.receipts[0].payload == "value");
}

// Its received packet ids would take new messages for duplicates.
TEST_CASE("a session that a clean start has ended is not back after a crash") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Broker broker(1, seed, {}, lossy());
    SeededRandom random(seed);
    Party one("one");
    one.device.connect(broker, false, hour);
    talk(broker, one);
    one.device.drop();
    talk(broker, one);
    one.device.connect(broker, true, 0);
    talk(broker, one);
    REQUIRE(one.device.online());
    one.device.drop();
    broker.crash(random);
    one.device.connect(broker, false, hour);
    talk(broker, one);
    REQUIRE(one.device.online());
    CHECK_FALSE(one.recorder.present);
  }
}

std::size_t records_of(Broker& broker, records::Table table) {
  std::size_t count = 0;
  const std::string begin(1, static_cast<char>(table));
  REQUIRE(broker.store
              ->scan(begin, records::behind(begin),
                     [&](auto, auto) {
                       ++count;
                       return true;
                     })
              .ok());
  return count;
}

// The session goes first, its queue in slices; what a crash interrupts the next start goes on with.
TEST_CASE("an expired session leaves nothing, crashes at any moment or none") {
  using records::Table;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Broker broker(2, seed, {}, lossy());
    SeededRandom random(seed);
    Party sub("sub"), pub("pub");
    sub.device.connect(broker, false, 10);
    pub.device.connect(broker, true, 0);
    talk(broker, sub, pub);
    sub.device.subscribe("t", 2);
    talk(broker, sub, pub);
    sub.device.disconnect();
    broker.run();
    constexpr int messages = 150;
    for (int i = 0; i < messages; ++i) {
      pub.device.publish("t", std::string(10'000, 'x'), 1, false, {});
      broker.run();
      pub.device.poll();
    }
    REQUIRE(records_of(broker, Table::queue) == messages);
    pub.device.drop();
    if (seed > 1) broker.crash(random);
    // Still there, and not before its time is over.
    broker.network.advance(std::chrono::seconds(9));
    broker.run();
    CHECK(records_of(broker, Table::session) == 1);
    broker.network.clock().advance(std::chrono::seconds(2));
    broker.network.wall_clock().advance(std::chrono::seconds(2));
    for (std::uint64_t crashes = seed > 1 ? 4 : 0; crashes > 0; --crashes) {
      broker.network.clock().advance(std::chrono::milliseconds(2));  // for the timer
      for (std::uint64_t steps = random.below(6); steps > 0; --steps) broker.network.step();
      broker.crash(random);
    }
    broker.network.advance(std::chrono::milliseconds(2));
    broker.run();
    for (const Table table : {Table::session, Table::subscription, Table::queue, Table::body}) {
      CHECK(records_of(broker, table) == 0);
    }
    sub.device.connect(broker, false, 10);
    talk(broker, sub);
    CHECK_FALSE(sub.recorder.present);
    CHECK(sub.recorder.receipts.empty());
  }
}

// MQTT 5 §3.1.2.11.2: the connection that goes on with a session may let it end with itself.
TEST_CASE("a session whose last connection wants no expiry ends with it, or with a crash") {
  using records::Table;
  for (const bool crashes : {false, true}) {
    CAPTURE(crashes);
    Broker broker(2, 1, {}, lossy());
    SeededRandom random(1);
    Party sub("sub"), pub("pub");
    sub.device.connect(broker, false, hour);
    pub.device.connect(broker, true, 0);
    talk(broker, sub, pub);
    sub.device.subscribe("t", 2);
    talk(broker, sub);
    sub.device.drop();
    pub.device.publish("t", "kept", 1, false, {});
    talk(broker, pub);
    sub.device.connect(broker, false, 0);
    broker.run();
    sub.device.poll();
    CHECK(sub.recorder.present);
    CHECK(sub.recorder.receipts.size() == 1);
    sub.device.drop();
    pub.device.drop();
    if (crashes) broker.crash(random);
    broker.network.advance(std::chrono::milliseconds(2));
    broker.run();
    for (const Table table : {Table::session, Table::subscription, Table::queue}) {
      CHECK(records_of(broker, table) == 0);
    }
    sub.device.connect(broker, false, hour);
    talk(broker, sub);
    CHECK_FALSE(sub.recorder.present);
  }
}

// AWS IoT: what was stored comes slowly, beside what is published meanwhile.
TEST_CASE("stored messages come at their rate, and new ones go ahead of them") {
  Profile profile;
  profile.rates.stored_out = 10;
  profile.says_dup = false;
  Broker broker(2, 1, profile);
  Party sub(id_at(0, 2)), pub("pub");
  sub.device.connect(broker, false, hour);
  pub.device.connect(broker, true, 0);
  talk(broker, sub, pub);
  sub.device.subscribe("t", 1);
  talk(broker, sub, pub);
  sub.device.disconnect();
  talk(broker, pub);
  for (int i = 0; i < 45; ++i) pub.device.publish("t", "stored", 1, false, {});
  talk(broker, pub);
  broker.next_shard = 1;
  sub.device.connect(broker, false, hour);
  talk(broker, sub, pub);
  const auto count = [&](const char* payload) {
    const auto& got = sub.recorder.receipts;
    return std::count_if(got.begin(), got.end(),
                         [&](const auto& r) { return r.payload == payload; });
  };
  CHECK(count("stored") == 10);
  for (int i = 0; i < 20; ++i) pub.device.publish("t", "live", 1, false, {});
  talk(broker, sub, pub);
  CHECK(count("live") == 20);
  CHECK(count("stored") == 10);
  broker.network.advance(std::chrono::milliseconds(500));
  talk(broker, sub, pub);
  CHECK(count("stored") == 15);
  // Who comes again begins anew, and nothing is lost or sent twice.
  sub.device.disconnect();
  talk(broker, pub);
  sub.device.connect(broker, false, hour);
  talk(broker, sub, pub);
  CHECK(count("stored") == 25);
  for (int i = 0; i < 30; ++i) {
    pub.device.publish("t", "live", 1, false, {});
    broker.network.advance(std::chrono::milliseconds(100));
    talk(broker, sub, pub);
  }
  CHECK(count("stored") == 45);
  CHECK(count("live") == 50);
  CHECK(broker.total(Count::queued) == 0);
}

}  // namespace
}  // namespace gnomon::broker
