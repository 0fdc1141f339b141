// Device shadows in the whole server: what is bounded, and what is swept.
#include "server/shadows.h"

#include <chrono>
#include <optional>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "mqtt/connection.h"
#include "server/server_fixture.h"
#include "store/lossy.h"

namespace gnomon::server {
namespace {

using mqtt::Reason;
using testing::Fixture;

constexpr const char* update = "$aws/things/lamp/shadow/update";
constexpr const char* on = R"({"state":{"reported":{"on":true}}})";

// A client of MQTT that publishes, and notes how that is acknowledged.
class Device {
 public:
  explicit Device(Fixture& fixture, const std::string& id = "device",
                  mqtt::Version version = mqtt::Version::v5)
      : fixture_(fixture), link_(fixture.network.connect({"127.0.0.1", 1883})) {
    mqtt::Connect connect;
    connect.version = version;
    connect.client_id = id;
    machine_.connect(connect, out_);
    run();
  }
  void publish(const std::string& topic, std::string_view payload, std::uint8_t qos = 1) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.qos = qos;
    if (qos > 0) packet.packet_id = ++packet_id_;
    machine_.publish(packet, out_);
  }
  void run() {
    if (!out_.empty()) link_->send(out_.view());
    out_.clear();
    fixture_.network.run();
    const Buffer bytes = std::exchange(link_->received(), Buffer());
    ByteView in = bytes.view();
    for (;;) {
      const mqtt::Event event = machine_.next(in, incoming_, out_);
      if (event == mqtt::Event::none || event == mqtt::Event::disconnect) break;
      REQUIRE(event != mqtt::Event::refused);
      if (event == mqtt::Event::ack) pubacks.push_back(incoming_.ack.reason);
    }
  }
  // What it has published is acknowledged so.
  std::vector<Reason> take_acks() {
    run();
    return std::exchange(pubacks, {});
  }
  [[nodiscard]] bool closed() const { return link_->closed_by_server(); }
  std::vector<Reason> pubacks;

 private:
  Fixture& fixture_;
  std::unique_ptr<runtime::SimClient> link_;
  mqtt::Settings settings_;
  mqtt::Connection machine_{mqtt::Role::client, settings_};
  mqtt::Incoming incoming_;
  Buffer out_;
  std::uint16_t packet_id_ = 0;
};

// A server whose store syncs when the test says so.
struct World : Fixture {
  explicit World(int shards = 1, Compat compat = Compat::mqtt)
      : Fixture(shards, std::make_unique<store::LossyStore>()) {
    config.compat = compat;
    server.emplace(config, ports);
    REQUIRE(server->start().ok());
    sync();
  }
  ~World() {
    server->begin_stop();
    network.run();
  }
  void sync() {
    REQUIRE(store->sync());
    network.advance(std::chrono::seconds(1));  // the loops look at it
  }
  std::string metric(const std::string& name) {
    const auto admin = network.connect({"127.0.0.1", 8080});
    const std::string all = exchange(*admin, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::size_t at = all.find("\n" + name + ' ');
    REQUIRE(at != std::string::npos);
    const std::size_t begin = at + name.size() + 2;
    return all.substr(begin, all.find('\n', begin) - begin);
  }
  std::optional<Server> server;
};

TEST_CASE("a flood of requests is refused beyond the bound, and the server lives") {
  World world;
  Device flood(world), five(world, "five"), four(world, "four", mqtt::Version::v311);
  // One is read from the store; what waits for that, and then for the disk, is open.
  for (std::size_t n = 0; n < limits::shadow_requests_max; ++n) flood.publish(update, on, 0);
  flood.run();
  CHECK(world.metric("gnomon_shadow_requests_open") == "10000");
  CHECK(world.metric("gnomon_shadow_rejections_total{reason=\"busy\"}") == "0");

  flood.publish(update, on, 0);
  flood.publish(update, on, 1);
  CHECK(flood.take_acks() == std::vector{Reason::quota_exceeded});
  CHECK_FALSE(flood.closed());
  five.publish("$aws/things/other/shadow/get", "", 1);
  five.publish("plain", "x", 1);
  CHECK(five.take_acks() == std::vector{Reason::quota_exceeded, Reason::success});
  four.publish(update, on, 1);
  four.run();
  CHECK(four.closed());  // 3.1.1 knows no other way to refuse
  CHECK(four.pubacks.empty());
  CHECK(world.metric("gnomon_shadow_rejections_total{reason=\"busy\"}") == "4");

  world.sync();
  CHECK(world.metric("gnomon_shadow_requests_open") == "0");
  five.publish(update, on, 1);
  five.run();
  world.sync();
  CHECK(five.take_acks() == std::vector{Reason::success});
}

TEST_CASE("so is a flood of large ones; of what is too long only so much is kept as shows that") {
  World world;
  Device flood(world);
  const std::string large = R"({"state":{},"x":")" + std::string(64 * KiB, 'x') + "\"}";
  const std::string longer(4 * MiB, 'x');
  // With QoS 0: an acknowledgement would wait for those of all before it.
  for (std::size_t sent = 0; sent < limits::shadow_requests_bytes; sent += large.size())
    flood.publish(update, large, 0);
  flood.publish(update, large, 1);
  CHECK(flood.take_acks() == std::vector{Reason::quota_exceeded});
  world.sync();
  CHECK(world.metric("gnomon_shadow_requests_open") == "0");
  for (int n = 0; n < 10; ++n) flood.publish(update, longer, 1);
  CHECK(flood.take_acks() == std::vector<Reason>(10, Reason::success));
  CHECK(world.metric("gnomon_shadow_rejections_total{reason=\"other\"}") == "10");
}

TEST_CASE("compat aws: of one thing ten requests are open, and others are not held up") {
  World world(2, Compat::aws);
  Device device(world);
  for (int n = 0; n < 12; ++n) device.publish(update, on, 0);
  device.publish("$aws/things/other/shadow/update", on, 0);
  device.run();
  CHECK(world.metric("gnomon_shadow_rejections_total{reason=\"quota\"}") == "2");
  CHECK(world.metric("gnomon_shadow_requests_open") == "11");
  world.sync();
  CHECK(world.metric("gnomon_shadow_requests_open") == "0");
  CHECK(world.metric("gnomon_shadow_requests_total{kind=\"update\"}") == "11");
}

TEST_CASE("a shadow that was deleted 48 hours ago is swept") {
  for (const int shards : {1, 3}) {
    World world(shards);
    const auto step = [&](const std::string& topic, std::string_view payload) {
      Device device(world);
      device.publish(topic, payload, 1);
      device.run();
      world.sync();
      CHECK(device.take_acks() == std::vector{Reason::success});
    };
    for (const char* thing : {"a", "b", "c"}) {
      step(std::string("$aws/things/") + thing + "/shadow/update", on);
      step(std::string("$aws/things/") + thing + "/shadow/delete", "");
    }
    const auto pass = [&](std::chrono::minutes time) {
      for (; time.count() > 0; time -= std::chrono::minutes(10)) {
        world.network.advance(std::chrono::minutes(10));
        REQUIRE(world.store->sync());
      }
    };
    pass(std::chrono::hours(47));
    CHECK(world.metric("gnomon_shadows_forgotten_total") == "0");
    pass(std::chrono::minutes(80));
    CHECK(world.metric("gnomon_shadows_forgotten_total") == "3");
  }
}

}  // namespace
}  // namespace gnomon::server
