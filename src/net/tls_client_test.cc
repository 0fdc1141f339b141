// TlsClient against TlsLayer's server on the simulated network.
#include "net/tls_client.h"

#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/random.h"
#include "crypto/issue.h"
#include "runtime/sim.h"

namespace gnomon::net {
namespace {

// Echoes.
struct End final : runtime::StreamHandler {
  void on_bytes(ByteView bytes) override {
    stream->output().append(bytes);
    stream->flush();
  }
  void on_ended(runtime::Ended why) override {
    ended = why;
    stream.reset();
  }
  runtime::StreamPtr stream;
  std::optional<runtime::Ended> ended;
};

struct World {
  World() {
    SystemRandom random;
    const WallTime now{SystemWallClock().now().ms / 1000 * 1000};
    const WallTime from = now + -std::chrono::hours(1), until = now + std::chrono::hours(1);
    const auto root_key = crypto::PrivateKey::generate_ec_p256();
    const auto key = crypto::PrivateKey::generate_ec_p256();
    const auto root =
        crypto::self_sign({crypto::Profile::root, "root", {}, from, until}, root_key, random);
    REQUIRE(root.ok());
    const auto leaf = crypto::issue({crypto::Profile::server, "s", {"server.test"}, from, until},
                                    key.public_key(), {*root, root_key}, random);
    REQUIRE(leaf.ok());
    auto server = TlsConfig::server({leaf->to_pem(), key.to_pem(), {}});
    REQUIRE(server.ok());
    layer = std::make_unique<TlsLayer>(*loop, *server);
    TlsConfig::Client how;
    how.authorities = root->to_pem();
    config = *TlsConfig::client(how);
    listener = std::move(*loop->listen({"127.0.0.1", 0}, [this](auto accepted) {
      End& end = *ends.emplace_back(std::make_unique<End>());
      end.stream = layer->adopt(accepted[0], end);
    }));
    loop->start("server");
  }
  ~World() {
    for (auto& end : ends) end->stream.reset();
  }

  runtime::SimNetwork network{5};
  std::unique_ptr<runtime::Loop> loop = network.make_loop();
  std::unique_ptr<TlsLayer> layer;
  std::shared_ptr<const TlsConfig> config;
  std::vector<std::unique_ptr<End>> ends;
  std::unique_ptr<runtime::Listener> listener;
};

// A socket with a TlsClient on it.
struct Socket {
  Socket(World& of, const std::string& name, std::shared_ptr<TlsLayer::Session> session = nullptr)
      : world(of),
        link(of.network.connect(of.listener->address())),
        tls(of.config, name, std::move(session), out) {
    run();
  }
  void run() {
    do {
      link->send(out.view());
      out.clear();
      world.network.run();
      Buffer& in = link->received();
      std::vector<std::uint8_t> plain(TlsClient::plain_bytes(in.size()));
      const auto count = tls.receive(in.view(), plain, out);
      in.clear();
      if (!count) {
        failure = count.error();
        return;
      }
      got.append(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(*count));
    } while (!out.empty());
  }
  void say(std::string_view text) {
    tls.send(as_bytes(text), out);
    run();
  }

  World& world;
  Buffer out;
  std::unique_ptr<runtime::SimClient> link;
  TlsClient tls;
  std::string got;
  std::optional<Error> failure;
};

TEST_CASE("TLS without a stream: what is said comes back, and a session is resumed") {
  World world;
  const auto session = TlsLayer::make_session();
  for (int round = 0; round < 3; ++round) {
    Socket socket(world, "server.test", session);
    REQUIRE(socket.tls.established());
    CHECK(socket.tls.resumed() == (round > 0));
    const std::string text(300'000, static_cast<char>('a' + round));
    socket.say(text);
    CHECK(socket.got == text);
    socket.tls.finish(socket.out);
    socket.run();
    CHECK(world.ends.back()->ended == runtime::Ended::by_peer);
  }
  CHECK(world.layer->stats().resumed == 2);
}

TEST_CASE("TLS without a stream: who is not trusted is not talked to") {
  World world;
  const Socket socket(world, "other.test");
  REQUIRE(socket.failure);
  CHECK(socket.failure->code == Code::denied);
  CHECK(socket.failure->message == "the server's certificate is not for other.test");
  CHECK_FALSE(socket.tls.established());
}

}  // namespace
}  // namespace gnomon::net
