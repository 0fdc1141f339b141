// The whole server in one thread, on the simulated network.
#include "server/server.h"

#include <doctest/doctest.h>

#include "server/server_fixture.h"

namespace gnomon::server {
namespace {

using testing::Fixture;

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

// A store whose first scan lets the test look at a server that is starting.
class SlowStore final : public store::Store {
 public:
  explicit SlowStore(store::Store& below) : below_(below) {}
  std::function<void()> on_scan;

  Result<store::Sequence> apply(const store::Batch& batch) override { return below_.apply(batch); }
  Result<store::Sequence> sync() override { return below_.sync(); }
  [[nodiscard]] store::Sequence applied() const override { return below_.applied(); }
  [[nodiscard]] store::Sequence durable() const override { return below_.durable(); }
  [[nodiscard]] bool accepting() const override { return below_.accepting(); }
  Result<std::optional<std::string>> get(std::string_view key) const override {
    return below_.get(key);
  }
  Result<void> scan(std::string_view begin, std::string_view end,
                    const Visit& visit) const override {
    if (on_scan) std::exchange(const_cast<SlowStore*>(this)->on_scan, nullptr)();
    return below_.scan(begin, end, visit);
  }
  Result<void> scan_back(std::string_view begin, std::string_view end,
                         const Visit& visit) const override {
    return below_.scan_back(begin, end, visit);
  }
  Result<void> checkpoint(const std::string& folder) override { return below_.checkpoint(folder); }

 private:
  store::Store& below_;
};

TEST_CASE("while it reads what was kept it is alive, but not ready, and lets nobody in") {
  Fixture fixture(1);
  SlowStore slow(*fixture.store);
  const Ports& p = fixture.ports;
  const Ports ports{p.clock,      p.wall,        p.random,    p.network, slow,
                    p.pool,       p.passwords,   p.calls,     p.shown,   p.make_material,
                    p.host_names, p.make_syncer, p.on_broken, {}};
  Server server(fixture.config, ports);
  int looked = 0;
  slow.on_scan = [&] {
    const auto admin = fixture.network.connect({"127.0.0.1", 8080});
    REQUIRE(admin != nullptr);
    CHECK(fixture.exchange(*admin, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
              .ends_with("\r\n\r\nok\n"));
    const std::string ready = fixture.exchange(*admin, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(ready.starts_with("HTTP/1.1 503 "));
    CHECK(ready.ends_with("\r\n\r\nstarting: what was kept is being read\n"));
    const std::string metrics =
        fixture.exchange(*admin, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(metrics.starts_with("HTTP/1.1 503 "));
    const auto device = fixture.network.connect({"127.0.0.1", 1883});
    REQUIRE(device != nullptr);
    CHECK(fixture.exchange(*device, connect_a).empty());
    CHECK(device->closed_by_server());
    ++looked;
  };
  REQUIRE(server.start().ok());
  CHECK(looked == 1);
  const auto admin = fixture.network.connect({"127.0.0.1", 8080});
  CHECK(fixture.exchange(*admin, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            .starts_with("HTTP/1.1 200 "));
  const std::string metrics = fixture.exchange(*admin, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(metrics.find("refused_total{reason=\"starting\"} 1\n") != std::string::npos);
  server.begin_stop();
  fixture.network.run();
  CHECK(fixture.exchange(*admin, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            .ends_with("\nstopping\n"));
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

TEST_CASE("$SYS: the present values with SUBACK, then what changes; nothing with compat = aws") {
  constexpr auto subscribe = "\x82\x0b\x00\x01\x00\x06$SYS/#\x00"sv;
  constexpr auto suback = "\x90\x03\x00\x01\x00"sv;
  for (const int shards : {1, 3}) {
    Fixture fixture(shards);
    Server server(fixture.config, fixture.ports);
    REQUIRE(server.start().ok());
    const auto device = fixture.network.connect({"127.0.0.1", 1883});
    fixture.exchange(*device, connect_a);
    const std::string first = fixture.exchange(*device, subscribe);
    CHECK(first.starts_with(suback));
    CHECK(first.find("\x31"sv) == suback.size());  // as if it were retained
    CHECK(first.find("$SYS/broker/versiongnomon version ") != std::string::npos);
    CHECK(first.find("$SYS/broker/clients/connected0") != std::string::npos);

    fixture.network.advance(std::chrono::seconds(10));
    const std::string next = fixture.exchange(*device, {});
    CHECK(next.find("\x30"sv) == 0);
    CHECK(next.find("version") == std::string::npos);  // it has not changed
    CHECK(next.find("$SYS/broker/uptime10 seconds") != std::string::npos);
    CHECK(next.find("$SYS/broker/clients/connected1") != std::string::npos);
    CHECK(next.find("$SYS/broker/clients/total1") != std::string::npos);
    CHECK(next.find("$SYS/broker/subscriptions/count1") != std::string::npos);

    // What nobody wants is not published: the shards send nothing to each other either.
    fixture.exchange(*device, "\xa2\x0a\x00\x02\x00\x06$SYS/#"sv);
    fixture.network.advance(std::chrono::seconds(10));
    CHECK(fixture.exchange(*device, {}).empty());
    // But it goes on, for who comes later.
    CHECK(fixture.exchange(*device, subscribe).find("uptime20 seconds") != std::string::npos);
    server.begin_stop();
    fixture.network.run();
  }
  for (const bool aws : {true, false}) {
    Fixture fixture(1);
    if (aws) {
      fixture.config.compat = Compat::aws;
    } else {
      fixture.config.sys_interval_seconds = 0;
    }
    Server server(fixture.config, fixture.ports);
    REQUIRE(server.start().ok());
    const auto device = fixture.network.connect({"127.0.0.1", 1883});
    fixture.exchange(*device, connect_a);
    CHECK(fixture.exchange(*device, subscribe) == suback);
    fixture.network.advance(std::chrono::seconds(20));
    CHECK(fixture.exchange(*device, {}).empty());
    server.begin_stop();
    fixture.network.run();
  }
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
  CHECK(ready_line({"127.0.0.1:1883", {}, {}, {}, {}}, config, "/d/root-ca.pem", 7, 12) ==
        R"({"event":"ready","mqtt":"127.0.0.1:1883","mqtts":null,"https":null,"http":null,)"
        R"("admin":null,"ca":"/d/root-ca.pem","data":"a\"b\\c\n","account":"123456789012",)"
        R"("region":"us-east-1","pid":7,"start_ms":12})");
}

}  // namespace
}  // namespace gnomon::server
