// QoS 1 that is not acknowledged, where it is sent again while the connection lasts (AWS IoT).
#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Version;
using testing::Broker;
using testing::Client;
using testing::settle;

Profile resending() {
  Profile profile;
  profile.resend_every = std::chrono::seconds(30);
  profile.resend_for = std::chrono::hours(1);
  profile.inflight_max = 2;
  profile.says_dup = false;
  return profile;
}

TEST_CASE("what is not acknowledged comes again, in order, under its packet id") {
  for (const Version version : {Version::v311, Version::v5}) {
    for (const bool persistent : {false, true}) {
      CAPTURE(persistent);
      Broker broker(2, 1, resending());
      Client sub(broker, "sub", version), pub(broker, "pub");
      sub.connect.clean_start = !persistent;
      if (version == Version::v5 && persistent) sub.connect.session_expiry_seconds = 3600;
      sub.acknowledge = false;
      sub.start();
      pub.start();
      settle(broker, sub, pub);
      sub.subscribe("t", 1);
      settle(broker, sub, pub);
      for (const char* payload : {"1", "2", "3"}) pub.publish("t", payload, 1);
      settle(broker, sub, pub);
      REQUIRE(sub.got.size() == 2);
      broker.network.advance(std::chrono::milliseconds(29'999));
      settle(broker, sub, pub);
      CHECK(sub.got.size() == 2);
      broker.network.advance(std::chrono::milliseconds(1));
      settle(broker, sub, pub);
      REQUIRE(sub.got.size() == 4);
      for (std::size_t i : {0U, 1U}) {
        CHECK(sub.got[i + 2].payload == sub.got[i].payload);
        CHECK(sub.got[i + 2].packet_id == sub.got[i].packet_id);
      }
      CHECK(broker.total(Count::resent) == 2);
      sub.puback(sub.got[0].packet_id);
      settle(broker, sub, pub);
      REQUIRE(sub.got.size() == 5);
      CHECK(sub.got[4].payload == "3");
      sub.puback(sub.got[1].packet_id);
      sub.puback(sub.got[4].packet_id);
      broker.network.advance(std::chrono::minutes(2));
      settle(broker, sub, pub);
      CHECK(sub.got.size() == 5);
    }
  }
}

TEST_CASE("after its time it counts as delivered, and makes room for what waits") {
  for (const std::string filter : {"t", "$share/g/t"}) {
    for (const bool persistent : {false, true}) {
      CAPTURE(persistent);
      Profile profile = resending();
      profile.inflight_max = 1;
      profile.resend_for = std::chrono::seconds(60);
      Broker broker(2, 1, profile);
      Client sub(broker, "sub"), pub(broker, "pub");
      sub.connect.session_expiry_seconds = persistent ? 3600 : 0;
      sub.acknowledge = false;
      sub.start();
      pub.start();
      settle(broker, sub, pub);
      sub.subscribe(filter, 1);
      settle(broker, sub, pub);
      for (const char* payload : {"1", "2"}) pub.publish("t", payload, 1);
      settle(broker, sub, pub);
      std::string got;
      for (int i = 0; i < 5; ++i) {
        broker.network.advance(std::chrono::seconds(30));
        settle(broker, sub, pub);
      }
      for (const auto& each : sub.got) got += each.payload;
      CHECK(got == "1122");
      CHECK(broker.total(Count::dropped_expired) == 2);
      CHECK(broker.total(Count::queued) == 0);
    }
  }
}

TEST_CASE("it says what is left of its expiry, and ends with it") {
  Broker broker(1, 1, resending());
  Client sub(broker, "sub"), pub(broker, "pub");
  sub.acknowledge = false;
  sub.start();
  pub.start();
  settle(broker, sub, pub);
  sub.subscribe("t", 1);
  settle(broker, sub, pub);
  pub.expiry = 45;
  pub.publish("t", "1", 1);
  settle(broker, sub, pub);
  for (int i = 0; i < 4; ++i) {
    broker.network.advance(std::chrono::seconds(30));
    settle(broker, sub, pub);
  }
  REQUIRE(sub.got.size() == 2);
  CHECK(sub.got[0].expiry == 45);
  CHECK(sub.got[1].expiry == 15);
  CHECK(broker.total(Count::dropped_expired) == 1);
}

TEST_CASE("a clean session has so many bytes in flight; what it has not acknowledged is held") {
  Profile profile = resending();
  profile.inflight_max = 100;
  Broker broker(1, 1, profile);
  Client sub(broker, "sub"), pub(broker, "pub");
  sub.settings.packet_bytes_max = 4 * limits::flight_bytes_max;
  sub.acknowledge = false;
  sub.start();
  pub.start();
  settle(broker, sub, pub);
  sub.subscribe("t", 1);
  settle(broker, sub, pub);
  const std::string half(limits::flight_bytes_max / 2, 'x');
  for (int i = 0; i < 4; ++i) {
    pub.publish("t", half, 1);
    settle(broker, sub, pub);
  }
  CHECK(sub.got.size() == 2);
  CHECK(broker.total(Count::held) > limits::flight_bytes_max);
  sub.puback(sub.got[0].packet_id);
  settle(broker, sub, pub);
  CHECK(sub.got.size() == 3);
  sub.drop();
  settle(broker, pub);
  CHECK(broker.total(Count::held) == 0);
}

}  // namespace
}  // namespace gnomon::broker
