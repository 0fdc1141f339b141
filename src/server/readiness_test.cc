#include "server/readiness.h"

#include <memory>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "runtime/sim.h"
#include "store/lossy.h"

namespace gnomon::server {
namespace {

struct World {
  runtime::SimNetwork network{3};
  std::unique_ptr<runtime::Loop> control = network.make_loop();
  std::unique_ptr<runtime::Loop> first = network.make_loop(), second = network.make_loop();
  store::LossyStore store;
  Readiness readiness{*control, {first.get(), second.get()}, store};
  std::string told;

  World() {
    set_log_level(LogLevel::off);
    control->start("control");
    first->start("first");
    second->start("second");
  }
  ~World() { set_log_level(LogLevel::info); }
  void ask() {
    control->post([this] {
      readiness.ask([this](const std::string& reason) { told += '[' + reason + ']'; });
    });
    network.run();
  }
  std::string answer() {
    ask();
    return std::exchange(told, {});
  }
};

TEST_CASE("a server is ready between its start and its stop, if there is room on the disk") {
  World world;
  CHECK(world.answer() == "[starting: what was kept is being read]");
  world.readiness.begin();
  CHECK(world.answer() == "[]");
  world.store.set_accepting(false);
  CHECK(world.answer().find("disk.reserve") != std::string::npos);
  world.store.set_accepting(true);
  CHECK(world.answer() == "[]");
  world.readiness.end();
  CHECK(world.answer() == "[stopping]");
}

TEST_CASE("a loop that does not turn is named, in time, until it turns again") {
  using std::chrono::milliseconds;
  World world;
  world.readiness.begin();
  world.second->stop();
  CHECK(world.answer() == "");
  world.network.advance(limits::loop_stalled - milliseconds(1));
  CHECK(world.answer() == "");  // waits for the same answer
  world.network.advance(milliseconds(1));
  const std::string stalled = "[stalled: nothing was heard of shard 1 for 2000 ms]";
  CHECK(std::exchange(world.told, {}) == stalled + stalled);
  // Asked again it is not waited for again.
  world.network.advance(milliseconds(500));
  CHECK(world.answer() == "[stalled: nothing was heard of shard 1 for 2500 ms]");
  world.second->start("second");
  world.network.run();
  CHECK(world.answer() == "[]");
}

}  // namespace
}  // namespace gnomon::server
