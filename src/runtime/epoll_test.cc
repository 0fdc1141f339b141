// The loop on real sockets over loopback; every port is a free one.
#include <algorithm>
#include <functional>
#include <future>
#include <sys/resource.h>
#include <thread>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"
#include "runtime/network.h"

namespace gnomon::runtime {
namespace {

struct World {
  SystemMonotonicClock monotonic;
  SystemWallClock wall;
  std::unique_ptr<Network> network = make_epoll_network(monotonic, wall);
  std::unique_ptr<Loop> loop = network->make_loop();
  ~World() { loop->stop(); }
  // Runs on the loop's thread and waits for it.
  void on_loop(const std::function<void()>& task) {
    std::promise<void> done;
    loop->post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
};

template <class T>
T soon(std::promise<T>& promise) {
  auto future = promise.get_future();
  REQUIRE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  return future.get();
}

// Sends back what it gets.
class Echo final : public StreamHandler {
 public:
  void on_bytes(ByteView bytes) override {
    if (on_input) on_input(bytes.size());
    stream->output().append(bytes);
    stream->flush();
  }
  void on_ended(Ended) override { stream.reset(); }
  std::function<void(std::size_t)> on_input;
  StreamPtr stream;
};

// Sends a number of bytes as they are taken, and tells when they have all come back, unchanged.
class Sender final : public StreamHandler {
 public:
  explicit Sender(std::size_t count, bool sends = true) : count_(count), sends_(sends) {}
  void on_connected() override {
    if (!sends_) return;
    SeededRandom bytes(1);
    std::vector<std::uint8_t> all(count_);
    bytes.fill(all);
    stream->output().append(all);
    stream->flush();
  }
  void on_bytes(ByteView bytes) override {
    got_.append(bytes);
    if (got_.size() < count_) return;
    SeededRandom random(1);
    std::vector<std::uint8_t> all(count_);
    random.fill(all);
    done.set_value(std::ranges::equal(got_.view(), all));
  }
  void on_ended(Ended why) override {
    stream.reset();
    ended.set_value(why);
  }
  std::promise<bool> done;
  std::promise<Ended> ended;
  StreamPtr stream;

 private:
  std::size_t count_;
  bool sends_;
  Buffer got_;
};

struct EchoServer {
  explicit EchoServer(Loop& given) : loop(given) {
    listener = std::move(*loop.listen({"127.0.0.1", 0}, [this](std::span<const Accepted> batch) {
      for (const Accepted& each : batch) {
        Echo& echo = *echoes.emplace_back(std::make_unique<Echo>());
        echo.stream = loop.adopt(each, echo);
        if (on_new) on_new(echo);
      }
    }));
  }
  Loop& loop;
  std::vector<std::unique_ptr<Echo>> echoes;
  std::function<void(Echo&)> on_new;
  std::unique_ptr<Listener> listener;
};

TEST_CASE("megabytes there and back through short writes, nothing lost or changed") {
  World world;
  EchoServer server(*world.loop);
  Sender sender(20 * MiB);
  sender.stream = world.loop->connect(server.listener->address(), sender);
  world.loop->start("echo");
  CHECK(soon(sender.done));
  world.on_loop([&] {
    CHECK(world.loop->stats().short_writes > 0);
    sender.stream.reset();
  });
  world.loop->stop();  // before what its thread uses goes
}

TEST_CASE("a paused stream is not read until it is resumed") {
  World world;
  EchoServer server(*world.loop);
  std::size_t read = 0;
  server.on_new = [&](Echo& echo) {
    echo.stream->pause();
    echo.on_input = [&](std::size_t bytes) { read += bytes; };
  };
  Sender sender(1000);
  sender.stream = world.loop->connect(server.listener->address(), sender);
  world.loop->start("echo");
  bool accepted = false;
  while (!accepted) world.on_loop([&] { accepted = !server.echoes.empty(); });
  for (int turns = 0; turns < 20; ++turns) world.on_loop([&] { CHECK(read == 0); });
  world.on_loop([&] { server.echoes[0]->stream->resume(); });
  CHECK(soon(sender.done));
  world.on_loop([&] { sender.stream.reset(); });
  world.loop->stop();  // before what its thread uses goes
}

TEST_CASE("what was written before a stream is dropped still arrives, however slow the peer") {
  World world;
  EchoServer server(*world.loop);
  constexpr std::size_t bytes = 8 * MiB;
  server.on_new = [&](Echo& echo) {
    SeededRandom random(1);
    std::vector<std::uint8_t> all(bytes);
    random.fill(all);
    echo.stream->output().append(all);
    echo.stream.reset();
  };
  Sender receiver(bytes, false);
  receiver.stream = world.loop->connect(server.listener->address(), receiver);
  world.loop->start("drop");
  CHECK(soon(receiver.done));
  CHECK(soon(receiver.ended) != Ended::error);
  std::size_t closing = 1;  // until our FIN is answered by the peer's
  while (closing > 0) world.on_loop([&] { closing = world.loop->closing(); });
  world.loop->stop();  // before what its thread uses goes
}

TEST_CASE("a port where nobody listens ends the stream; one in use is named") {
  World world;
  Address taken;
  {
    EchoServer gone(*world.loop);
    taken = gone.listener->address();
    const auto again = world.network->make_loop()->listen(taken, [](auto) {});
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().message.find(to_string(taken)) != std::string::npos);
  }
  Sender sender(1);
  sender.stream = world.loop->connect(taken, sender);
  world.loop->start("refused");
  CHECK(soon(sender.ended) == Ended::error);
  world.loop->stop();  // before what its thread uses goes
}

TEST_CASE("out of descriptors: some are refused, the loop lives, and then it accepts again") {
  World world;
  EchoServer server(*world.loop);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  world.loop->start("limit");
  rlimit low = before;
  low.rlim_cur = 40;
  std::vector<std::unique_ptr<Sender>> many;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  world.on_loop([&] {
    for (int i = 0; i < 64; ++i) {
      many.push_back(std::make_unique<Sender>(1));
      many.back()->stream = world.loop->connect(server.listener->address(), *many.back());
    }
  });
  bool full = false;
  for (int i = 0; i < 1000 && !full; ++i) {
    world.on_loop([&] { full = server.echoes.size() + 20 > 40 || i > 100; });
  }
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  world.on_loop([&] {
    for (auto& each : many) each->stream.reset();
  });
  Sender sender(1000);
  world.on_loop([&] { sender.stream = world.loop->connect(server.listener->address(), sender); });
  CHECK(soon(sender.done));
  world.on_loop([&] { sender.stream.reset(); });
  world.loop->stop();  // before what its thread uses goes
}

TEST_CASE("addresses") {
  CHECK(*parse_address("127.0.0.1:1883") == Address{"127.0.0.1", 1883});
  CHECK(*parse_address("[::1]:0") == Address{"::1", 0});
  CHECK(to_string(Address{"::1", 80}) == "[::1]:80");
  CHECK(is_loopback({"127.9.9.9", 1}));
  CHECK(is_loopback({"::1", 1}));
  CHECK_FALSE(is_loopback({"0.0.0.0", 1}));
  for (const char* bad : {"", "1883", "host", "host:", ":1", "h:65536", "h:-1", "h:1x", "[::1"}) {
    CHECK_FALSE(parse_address(bad).ok());
  }
}

}  // namespace
}  // namespace gnomon::runtime
