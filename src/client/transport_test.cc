// The client over each transport, against net's own server sides on the simulated network.
#include "client/transport.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "client/client.h"
#include "crypto/issue.h"
#include "net/http.h"
#include "net/websocket.h"
#include "runtime/sim.h"

namespace gnomon::client {
namespace {

using crypto::Profile;
using mqtt::Event, mqtt::PacketType, mqtt::Reason;

// A root, and under it a server that is called server.test.
struct Material {
  std::string root, certificates, key;
};

Material make_material() {
  SystemRandom random;
  const WallTime now{SystemWallClock().now().ms / 1000 * 1000};
  const WallTime from = now + -std::chrono::hours(1), until = now + std::chrono::hours(1);
  const auto root_key = crypto::PrivateKey::generate_ec_p256();
  const auto between_key = crypto::PrivateKey::generate_ec_p256();
  const auto key = crypto::PrivateKey::generate_ec_p256();
  const std::vector<std::string> names{"server.test"};
  const auto root = crypto::self_sign({Profile::root, "root", {}, from, until}, root_key, random);
  REQUIRE(root.ok());
  const auto between = crypto::issue({Profile::server_ca, "servers", names, from, until},
                                     between_key.public_key(), {*root, root_key}, random);
  REQUIRE(between.ok());
  const auto leaf = crypto::issue({Profile::server, "server.test", names, from, until},
                                  key.public_key(), {*between, between_key}, random);
  REQUIRE(leaf.ok());
  return {root->to_pem(), leaf->to_pem() + between->to_pem(), key.to_pem()};
}
const Material& material() {
  static const Material made = make_material();
  return made;
}

// One accepted connection: a broker that agrees to everything.
struct Served final : runtime::StreamHandler {
  void on_bytes(ByteView in) override {
    Event event{};
    while ((event = machine.next(in, incoming, stream->output())) != Event::none) {
      if (event == Event::connect) machine.accept({}, stream->output());
      if (event == Event::publish) {
        got = as_text(incoming.publish.payload);
        machine.ack({PacketType::puback, incoming.publish.packet_id, Reason::success, {}},
                    stream->output());
      }
    }
    stream->flush();
  }
  void on_ended(runtime::Ended) override { stream.reset(); }

  mqtt::Settings settings;
  mqtt::Connection machine{mqtt::Role::server, settings};
  mqtt::Incoming incoming;
  runtime::StreamPtr stream;
  std::string got;
};

// An encrypted connection that HTTP takes over when its handshake is done.
struct Secured final : runtime::StreamHandler {
  explicit Secured(net::HttpServer& given) : server(given) {}
  void on_connected() override { server.adopt(std::move(stream)); }
  void on_bytes(ByteView) override {}
  void on_ended(runtime::Ended) override { stream.reset(); }
  net::HttpServer& server;
  runtime::StreamPtr stream;
};

struct Notes final : Handler {
  void on_connected(const mqtt::Connack&) override { told += "connected;"; }
  void on_message(const mqtt::Publish&) override {}
  void on_published(std::uint16_t, Reason) override { told += "published;"; }
  void on_closed(const Closed& why) override {
    kind = why.kind;
    told += "closed: " + why.message + ';';
  }
  std::string told;
  Closed::Kind kind{};
};

// A server with a listener for each transport, and a client.
struct World {
  World() {
    auto config = net::TlsConfig::server({material().certificates, material().key, {"mqtt"}});
    REQUIRE(config.ok());
    layer = std::make_unique<net::TlsLayer>(*loop, *config);
    listen(21, [this](const runtime::Accepted& accepted) {
      Served& made = serve();
      made.stream = loop->adopt(accepted, made);
    });
    listen(22, [this](const runtime::Accepted& accepted) {
      Served& made = serve();
      made.stream = layer->adopt(accepted, made);
    });
    REQUIRE(http.listen({"127.0.0.1", 23}).ok());
    listen(24, [this](const runtime::Accepted& accepted) {
      Secured& made = *secured.emplace_back(std::make_unique<Secured>(http));
      made.stream = layer->adopt(accepted, made);
    });
    // Says nothing, and goes.
    listen(25, [this](const runtime::Accepted& accepted) { loop->discard(accepted); });
    loop->start("server");
    client_loop->start("client");
  }
  ~World() {
    client.disconnect();
    for (auto& each : served) each->stream.reset();
    for (auto& each : secured) each->stream.reset();
  }
  void listen(std::uint16_t port, std::function<void(const runtime::Accepted&)> take) {
    auto listener = loop->listen({"127.0.0.1", port}, [take = std::move(take)](auto accepted) {
      for (const runtime::Accepted& one : accepted) take(one);
    });
    REQUIRE(listener.ok());
    listeners.push_back(std::move(*listener));
  }
  Served& serve() { return *served.emplace_back(std::make_unique<Served>()); }

  static std::shared_ptr<const net::TlsConfig> tls(net::TlsConfig::Client how = {}) {
    if (how.authorities.empty()) how.authorities = material().root;
    auto config = net::TlsConfig::client(how);
    REQUIRE(config.ok());
    return *config;
  }
  // Connects, and returns what the client is told.
  std::string connect(Endpoint endpoint) {
    client.disconnect();  // its stream is the transport's
    transport = std::make_unique<Transport>(*client_loop, random, std::move(endpoint));
    return again();
  }
  std::string again() {
    notes.told.clear();
    client.connect(*transport, {});
    network.run();
    return notes.told;
  }

  runtime::SimNetwork network{3};
  SeededRandom random{3};
  std::unique_ptr<runtime::Loop> loop = network.make_loop(), client_loop = network.make_loop();
  std::unique_ptr<net::TlsLayer> layer;
  std::vector<std::unique_ptr<runtime::Listener>> listeners;
  std::vector<std::unique_ptr<Served>> served;
  std::vector<std::unique_ptr<Secured>> secured;
  net::HttpServer http{
      *loop, [this](const net::Request& request, const net::Exchange& exchange) {
        const auto answer = net::answer_websocket(request, {"127.0.0.1", {"server.test"}, {}});
        if (answer.status != 101) return exchange.respond(answer);
        auto taken = exchange.take_over(answer);
        Served& made = serve();
        made.stream = net::open_websocket(std::move(taken.stream), taken.unread.view(), made);
      }};
  Notes notes;
  mqtt::Settings settings;
  std::unique_ptr<Transport> transport;
  Client client{*client_loop, notes, settings};
};

Endpoint at(std::uint16_t port, std::shared_ptr<const net::TlsConfig> tls = nullptr,
            std::optional<std::string> websocket = {}) {
  return {{"127.0.0.1", port}, "server.test", std::move(tls), std::move(websocket)};
}

TEST_CASE("a client speaks MQTT over each transport") {
  for (int kind = 0; kind < 4; ++kind) {
    World world;
    world.network.set_splitting(true);
    const bool tls = kind % 2 == 1, websocket = kind >= 2;
    CHECK(world.connect(at(static_cast<std::uint16_t>(21 + kind), tls ? World::tls() : nullptr,
                           websocket ? std::optional<std::string>("/mqtt") : std::nullopt)) ==
          "connected;");
    mqtt::Publish publish;
    publish.topic = "t";
    const std::string payload(100'000, 'x');
    publish.payload = as_bytes(payload);
    publish.qos = 1;
    REQUIRE(world.client.publish(publish).ok());
    world.network.run();
    CHECK(world.notes.told == "connected;published;");
    CHECK(world.served.back()->got == payload);
    CHECK((world.served.back()->stream->security() != nullptr) == tls);
    world.client.disconnect();
    world.network.run();
    CHECK_FALSE(world.served.back()->stream);
  }
}

TEST_CASE("a transport resumes its last TLS session") {
  World world;
  CHECK(world.connect(at(22, World::tls())) == "connected;");
  CHECK(world.layer->stats().resumed == 0);
  CHECK(world.again() == "connected;");
  CHECK(world.layer->stats().resumed == 1);
}

TEST_CASE("why TLS came to nothing reaches the user") {
  World world;
  const std::string where = "closed: cannot connect to server.test (127.0.0.1:22) over TLS: ";
  const std::string other = make_material().root;
  CHECK(world.connect(at(
            22,
            World::tls({.authorities = other, .certificates = {}, .key = {}, .protocols = {}}))) ==
        where +
            "the server's certificate does not verify: unable to get local issuer certificate;");
  CHECK(world.notes.kind == Closed::Kind::untrusted);

  Endpoint misnamed = at(22, World::tls());
  misnamed.name = "other.test";
  CHECK(world.connect(misnamed).ends_with("the server's certificate is not for other.test;"));
  CHECK(world.notes.kind == Closed::Kind::untrusted);
  misnamed.name.clear();
  CHECK(world.connect(misnamed) ==
        "closed: cannot connect to 127.0.0.1:22 over TLS: the server's certificate is not for "
        "127.0.0.1;");
  misnamed.tls = World::tls(
      {.authorities = {}, .certificates = {}, .key = {}, .protocols = {}, .verify_name = false});
  CHECK(world.connect(misnamed) == "connected;");
  // The chain is verified all the same.
  misnamed.tls = World::tls(
      {.authorities = other, .certificates = {}, .key = {}, .protocols = {}, .verify_name = false});
  CHECK(world.connect(misnamed).find("does not verify") != std::string::npos);

  CHECK(world.connect(at(
            22,
            World::tls({.authorities = {}, .certificates = {}, .key = {}, .protocols = {"h2"}}))) ==
        where + "the server refuses TLS: tlsv1 alert no application protocol;");
  CHECK(world.notes.kind == Closed::Kind::transport);

  CHECK(world.connect(at(23, World::tls())).ends_with("the server does not speak TLS there;"));
  CHECK(world.connect(at(25, World::tls()))
            .ends_with("the server closed the connection during the TLS handshake;"));
  CHECK(world.connect(at(9, World::tls())) ==
        "closed: cannot connect to server.test (127.0.0.1:9) over TLS: connection refused, or "
        "host unreachable;");
  CHECK(world.notes.kind == Closed::Kind::unreachable);
}

TEST_CASE("why WebSocket came to nothing reaches the user") {
  World world;
  CHECK(world.connect(at(23, nullptr, "/elsewhere")) ==
        "closed: cannot connect to server.test (127.0.0.1:23) over WebSocket: the server refused "
        "WebSocket: 404 Not Found: MQTT over WebSocket is at /mqtt;");
  CHECK(world.notes.kind == Closed::Kind::transport);
  Endpoint misnamed = at(23, nullptr, "/mqtt");
  misnamed.name = "other.test";
  CHECK(world.connect(misnamed).find("421") != std::string::npos);
  CHECK(world.connect(at(25, nullptr, "/mqtt"))
            .ends_with("the server closed the connection instead of answering the request for "
                       "WebSocket;"));
  // What TLS has to say is said through WebSocket, too.
  misnamed.address.port = 24;
  misnamed.tls = World::tls();
  CHECK(world.connect(misnamed) ==
        "closed: cannot connect to other.test (127.0.0.1:24) over WebSocket and TLS: the server's "
        "certificate is not for other.test;");
  CHECK(world.notes.kind == Closed::Kind::untrusted);
}

}  // namespace
}  // namespace gnomon::client
