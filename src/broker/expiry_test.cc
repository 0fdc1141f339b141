// When sessions end by themselves.
#include <doctest/doctest.h>

#include "broker/durable_fixture.h"

namespace gnomon::broker {
namespace {

using std::chrono::hours;
using testing::Broker;
using testing::Device;
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

}  // namespace
}  // namespace gnomon::broker
