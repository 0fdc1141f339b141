// The whole server in one thread, on the simulated network.
#include "server/server.h"

#include <doctest/doctest.h>

#include "runtime/sim.h"
#include "store/memory.h"

namespace gnomon::server {
namespace {

struct Fixture {
  explicit Fixture(int shards) {
    config.listen_mqtt = "127.0.0.1:1883";
    config.listen_admin = "127.0.0.1:8080";
    config.shards = shards;
    config.drain_ms = 0;
    network.use(wall);
    pool_loop->start("pool");
  }
  std::string exchange(runtime::SimClient& client, std::string_view bytes) {
    client.send(as_bytes(bytes));
    network.run();
    std::string received(as_text(client.received().view()));
    client.received().clear();
    return received;
  }

  Config config;
  runtime::SimNetwork network{1};
  GuardedWallClock wall{network.clock(), network.wall_clock()};
  SeededRandom random{1};
  std::unique_ptr<store::Store> store = store::make_memory_store();
  std::unique_ptr<runtime::Loop> pool_loop = network.make_loop();
  runtime::LoopPool pool{*pool_loop};
  Ports ports{network.clock(), wall, random, network, *store, pool, make_syncer, {}};

  // The store is durable at once.
  class NoSyncer final : public partition::Syncer {
   public:
    void request(int) override {}
  };
  static std::unique_ptr<partition::Syncer> make_syncer(const std::vector<runtime::Loop*>&,
                                                        const Ports::OnBroken&) {
    return std::make_unique<NoSyncer>();
  }
};

using namespace std::string_view_literals;
constexpr auto connect_a =
    "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01"
    "a"sv;
constexpr auto connack = "\x20\x02\x00\x00"sv;

TEST_CASE("it listens, serves MQTT and metrics, and stops") {
  for (const int shards : {1, 3}) {
    Fixture fixture(shards);
    Server server(fixture.config, fixture.ports);
    REQUIRE(server.start().ok());
    CHECK(server.listening().mqtt == "127.0.0.1:1883");
    CHECK(server.listening().admin == "127.0.0.1:8080");

    const auto device = fixture.network.connect({"127.0.0.1", 1883});
    REQUIRE(device != nullptr);
    CHECK(fixture.exchange(*device, connect_a) == connack);
    CHECK(fixture.exchange(*device, "\x82\x06\x00\x01\x00\x01t\x00"sv) == "\x90\x03\x00\x01\x00"sv);
    CHECK(fixture.exchange(*device, "\x30\x05\x00\x01thi"sv) == "\x30\x05\x00\x01thi"sv);

    const auto admin = fixture.network.connect({"127.0.0.1", 8080});
    CHECK(fixture.exchange(*admin, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
              .ends_with("\r\n\r\nok\n"));
    const std::string metrics =
        fixture.exchange(*admin, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(metrics.find("gnomon_connections 1\n") != std::string::npos);
    CHECK(metrics.find("gnomon_messages_sent_total{qos=\"0\"} 1\n") != std::string::npos);
    CHECK(fixture.exchange(*admin, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
              .starts_with("HTTP/1.1 404 "));
    CHECK(fixture.exchange(*admin, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
              .starts_with("HTTP/1.1 405 "));

    server.begin_stop();
    fixture.network.run();
    CHECK(device->closed_by_server());
    CHECK(fixture.network.connect({"127.0.0.1", 1883}) == nullptr);
    server.stop();
  }
}

TEST_CASE("without the local identity nobody gets in") {
  Fixture fixture(1);
  fixture.config.local = false;
  Server server(fixture.config, fixture.ports);
  REQUIRE(server.start().ok());
  const auto device = fixture.network.connect({"127.0.0.1", 1883});
  CHECK(fixture.exchange(*device, connect_a) == "\x20\x02\x00\x05"sv);
  CHECK(device->closed_by_server());
  server.begin_stop();
  fixture.network.run();
}

TEST_CASE("a listener that cannot be had is named") {
  Fixture fixture(1);
  Server first(fixture.config, fixture.ports), second(fixture.config, fixture.ports);
  REQUIRE(first.start().ok());
  const auto started = second.start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message == "listen.mqtt: cannot listen on 127.0.0.1:1883: in use");
  first.begin_stop();
  fixture.network.run();
}

TEST_CASE("the ready line is one object of JSON, whatever the folder is called") {
  Config config;
  config.data = "a\"b\\c\n";
  CHECK(ready_line({"127.0.0.1:1883", std::nullopt}, config, "/d/root-ca.pem", 7, 12) ==
        R"({"event":"ready","mqtt":"127.0.0.1:1883","mqtts":null,"https":null,"http":null,)"
        R"("admin":null,"ca":"/d/root-ca.pem","data":"a\"b\\c\u000a","pid":7,"start_ms":12})");
}

}  // namespace
}  // namespace gnomon::server
