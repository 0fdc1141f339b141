// What becomes of sessions while somebody sets the machine's clock: the whole server in one thread.
#include <memory>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "broker/records.h"
#include "runtime/sim.h"
#include "server/material_fixture.h"
#include "server/server.h"
#include "store/memory.h"

namespace gnomon::server {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr hours day{24}, year{24 * 365};

// A machine on which one server after another runs.
class Machine {
 public:
  Machine() {
    set_log_level(LogLevel::off);
    config.listen_mqtt = "127.0.0.1:1883";
    config.listen_mqtts = config.listen_http = "off";
    config.listen_https.clear();
    config.listen_admin = "127.0.0.1:8080";
    config.shards = 2;
    config.drain_ms = 0;
  }
  ~Machine() {
    stop();
    set_log_level(LogLevel::info);
  }

  void start() {
    wall = std::make_unique<GuardedWallClock>(network.clock(), network.wall_clock());
    network.use(*wall);
    pool_loop = network.make_loop();
    pool_loop->start("pool");
    pool = std::make_unique<runtime::LoopPool>(*pool_loop);
    server = std::make_unique<Server>(
        config, Ports{network.clock(),
                      *wall,
                      random,
                      network,
                      *store,
                      *pool,
                      *pool,
                      *pool,
                      network.wall_clock(),
                      [this] { return testing::material(network.wall_clock().now()); },
                      {},
                      [this](auto, auto) { return std::make_unique<NoSyncer>(asked); },
                      {},
                      {}});
    REQUIRE(server->start().ok());
    network.run();
  }
  void stop() {
    if (!server) return;
    server->begin_stop();
    network.run();
    end();
  }
  // As kill -9 does: what the last turns have written is there.
  void end() {
    pool.reset();
    server.reset();
    pool_loop.reset();
  }
  void pass(std::chrono::milliseconds by) { network.advance(by); }
  void set_clock(std::chrono::milliseconds by) { network.wall_clock().advance(by); }

  std::string exchange(runtime::SimClient& client, std::string_view bytes) {
    client.send(as_bytes(bytes));
    network.run();
    std::string received(as_text(client.received().view()));
    client.received().clear();
    return received;
  }
  // Comes and goes with a session that lasts so long; true if there was one.
  bool visit(char id, std::chrono::seconds expiry) {
    const auto client = network.connect({"127.0.0.1", 1883});
    REQUIRE(client != nullptr);
    const auto count = static_cast<std::uint32_t>(expiry.count());
    std::string connect("\x10\x13\x00\x04MQTT\x05\x00\x00\x00\x05\x11", 14);
    for (const int shift : {24, 16, 8, 0}) connect += static_cast<char>(count >> shift);
    connect += std::string("\x00\x01", 2) + id;
    const std::string connack = exchange(*client, connect);
    REQUIRE(connack.size() > 4);
    REQUIRE(connack[0] == 0x20);
    REQUIRE(connack[3] == 0);
    exchange(*client, std::string_view("\xE0\x00", 2));
    return connack[2] != 0;
  }
  double metric(const std::string& name) {
    const auto admin = network.connect({"127.0.0.1", 8080});
    const std::string text = exchange(*admin, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto at = text.find("\n" + name + " ");
    REQUIRE_MESSAGE(at != std::string::npos, name);
    return std::stod(text.substr(at + name.size() + 2));
  }
  std::int64_t kept(const std::string& name) {
    const auto value =
        store->get(broker::records::key(broker::records::Table::meta, {}, "clock." + name));
    std::uint64_t number = 0;
    REQUIRE(value.ok());
    REQUIRE(value->has_value());
    REQUIRE(broker::records::read_number(**value, number));
    return static_cast<std::int64_t>(number);
  }

  // What is applied is durable.
  class NoSyncer final : public partition::Syncer {
   public:
    explicit NoSyncer(int& asked) : asked_(asked) {}
    void request(int) override { ++asked_; }

   private:
    int& asked_;
  };
  int asked = 0;
  Config config;
  runtime::SimNetwork network{1};
  SeededRandom random{1};
  std::unique_ptr<store::Store> store = store::make_memory_store();
  std::unique_ptr<GuardedWallClock> wall;
  std::unique_ptr<runtime::Loop> pool_loop;
  std::unique_ptr<runtime::LoopPool> pool;
  std::unique_ptr<Server> server;
};

TEST_CASE("a jump by a year ends no session while it is doubted; what is due is due") {
  Machine machine;
  machine.start();
  CHECK_FALSE(machine.visit('s', minutes(10)));
  CHECK_FALSE(machine.visit('l', 7 * day));
  machine.set_clock(year);
  machine.pass(minutes(9));
  CHECK(machine.metric("gnomon_clock_jumps_total{direction=\"forward\"}") == 1);
  CHECK(machine.metric("gnomon_clock_doubted") == 1);
  CHECK(machine.metric("gnomon_sessions") == 2);
  CHECK(machine.visit('s', minutes(10)));
  machine.pass(minutes(9));
  CHECK(machine.visit('s', minutes(10)));
  machine.pass(minutes(12));
  CHECK(machine.metric("gnomon_sessions") == 1);
  CHECK_FALSE(machine.visit('s', minutes(10)));

  SUBCASE("and is corrected: they go on") {
    machine.set_clock(-year);
    machine.pass(hours(3));
    CHECK(machine.metric("gnomon_clock_doubted") == 0);
    CHECK(machine.metric("gnomon_sessions") == 1);
    CHECK(machine.visit('l', 7 * day));
  }
  SUBCASE("and stays: after an hour it counts") {
    machine.pass(minutes(35));
    CHECK(machine.metric("gnomon_clock_doubted") == 0);
    CHECK(machine.metric("gnomon_sessions") == 0);
    CHECK_FALSE(machine.visit('l', 7 * day));
  }
  SUBCASE("and the server starts anew: it is doubted again") {
    machine.stop();
    machine.start();
    CHECK(machine.metric("gnomon_clock_doubted") == 1);
    CHECK(machine.visit('l', 7 * day));
    machine.pass(hours(1) + minutes(2));
    CHECK(machine.metric("gnomon_sessions") == 0);
  }
}

TEST_CASE("a clock that is set back: sessions end when they would have") {
  Machine machine;
  machine.start();
  CHECK_FALSE(machine.visit('s', minutes(10)));
  machine.set_clock(hours(-1));
  machine.pass(minutes(9));
  CHECK(machine.metric("gnomon_clock_jumps_total{direction=\"back\"}") == 1);
  CHECK(machine.metric("gnomon_sessions") == 1);
  machine.pass(minutes(2));
  CHECK(machine.metric("gnomon_sessions") == 0);
}

TEST_CASE("the highest time is kept, and a start with an earlier clock goes on from there") {
  for (const bool killed : {false, true}) {
    Machine machine;
    machine.start();
    machine.pass(minutes(3));
    CHECK_FALSE(machine.visit('s', hours(1)));
    machine.pass(seconds(21));
    const std::int64_t seen = machine.network.wall_clock().now().ms;
    killed ? machine.end() : machine.stop();
    const std::int64_t kept = machine.kept("now");
    CHECK(kept <= seen);
    CHECK(kept >= seen - (killed ? 10'000 : 0));
    CHECK(machine.kept("shown") == kept);
    CHECK(machine.kept("doubted") == 0);
    machine.set_clock(-50 * year);
    machine.start();
    CHECK(machine.metric("gnomon_clock_unset") == 1);
    CHECK(machine.kept("now") >= kept);
    machine.pass(minutes(50));
    CHECK(machine.visit('s', hours(1)));
    // The right time comes: that makes nothing due.
    machine.set_clock(50 * year + 2 * day);
    machine.pass(minutes(50));
    CHECK(machine.metric("gnomon_clock_unset") == 0);
    CHECK(machine.visit('s', hours(1)));
    machine.pass(minutes(61));
    CHECK(machine.metric("gnomon_sessions") == 0);
  }
}

TEST_CASE("a server that was down for an hour counts it; one for a year doubts it") {
  for (const bool long_one : {false, true}) {
    Machine machine;
    machine.start();
    CHECK_FALSE(machine.visit('s', minutes(10)));
    CHECK_FALSE(machine.visit('l', hours(2)));
    machine.stop();
    machine.set_clock(long_one ? year : hours(1));
    machine.start();
    machine.pass(seconds(1));
    CHECK(machine.metric("gnomon_sessions") == (long_one ? 2 : 1));
    CHECK(machine.metric("gnomon_clock_doubted") == (long_one ? 1 : 0));
    machine.pass(hours(1) + minutes(2));
    CHECK(machine.metric("gnomon_sessions") == 0);
  }
}

TEST_CASE("it is written every ten seconds, and asks for a sync every five minutes") {
  Machine machine;
  machine.start();
  const store::Sequence before = machine.store->applied();
  const int asked = machine.asked;
  machine.pass(hours(1));
  CHECK(machine.store->applied() - before == 360);
  CHECK(machine.asked - asked == 12);
  CHECK(machine.kept("now") >= machine.network.wall_clock().now().ms - 10'000);
}

TEST_CASE("a damaged record is refused") {
  Machine machine;
  store::Batch batch;
  batch.operations.emplace_back(store::Put{
      broker::records::key(broker::records::Table::meta, {}, "clock.now"), "\x01nonsense!"});
  REQUIRE(machine.store->apply(batch).ok());
  GuardedWallClock wall(machine.network.clock(), machine.network.wall_clock());
  const auto loop = machine.network.make_loop();
  runtime::LoopPool pool(*loop);
  Server server(machine.config, Ports{machine.network.clock(),
                                      wall,
                                      machine.random,
                                      machine.network,
                                      *machine.store,
                                      pool,
                                      pool,
                                      pool,
                                      machine.network.wall_clock(),
                                      {},
                                      {},
                                      [&](auto, auto) {
                                        return std::make_unique<Machine::NoSyncer>(machine.asked);
                                      },
                                      {},
                                      {}});
  const auto started = server.start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message.find("clock.now") != std::string::npos);
}

}  // namespace
}  // namespace gnomon::server
