// What tests of the whole server share: one in a thread, on the simulated network.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/sim.h"
#include "server/material_fixture.h"
#include "server/server.h"
#include "store/memory.h"

namespace gnomon::server::testing {

struct Fixture {
  explicit Fixture(int shards, std::unique_ptr<store::Store> given = store::make_memory_store())
      : store(std::move(given)) {
    config.listen_mqtt = "127.0.0.1:1883";
    config.listen_mqtts = config.listen_http = "off";
    config.listen_https.clear();
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
  std::unique_ptr<store::Store> store;
  std::unique_ptr<runtime::Loop> pool_loop = network.make_loop();
  runtime::LoopPool pool{*pool_loop};
  Ports ports{network.clock(),
              wall,
              random,
              network,
              *store,
              pool,
              pool,
              pool,
              network.wall_clock(),
              [this] { return material(network.wall_clock().now()); },
              {},
              make_syncer,
              {},
              {}};

  // The store is durable at once, or syncs when a test says so.
  class NoSyncer final : public partition::Syncer {
   public:
    void request(int) override {}
  };
  static std::unique_ptr<partition::Syncer> make_syncer(const std::vector<runtime::Loop*>&,
                                                        const Ports::OnBroken&) {
    return std::make_unique<NoSyncer>();
  }
};

}  // namespace gnomon::server::testing
