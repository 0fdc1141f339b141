// Streams over WebSocket on the simulated network: a server behind an HttpServer, our client, and
// clients that write their frames themselves.
#include "net/websocket.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "net/http.h"
#include "net/websocket_frame.h"
#include "runtime/sim.h"

namespace gnomon::net {
namespace {

constexpr WebSocketMask key = {1, 2, 3, 4};
constexpr const char* upgrade =
    "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: mqtt\r\n\r\n";

std::string frame(WebSocketOpcode opcode, std::string_view payload,
                  std::optional<WebSocketMask> mask = key) {
  Buffer out;
  append_frame(out, opcode, as_bytes(payload), mask);
  return std::string(as_text(out.view()));
}
std::string binary(std::string_view payload) { return frame(WebSocketOpcode::binary, payload); }
std::string plain(WebSocketOpcode opcode, std::string_view payload) {
  return frame(opcode, payload, std::nullopt);
}

// One end: keeps what it gets.
struct End final : runtime::StreamHandler {
  void on_bytes(ByteView bytes) override {
    ++inputs;
    got.append(as_text(bytes));
    if (echo) say(as_text(bytes));
    if (pause_at_bytes) stream->pause();
    if (close_at_bytes) stream.reset();
  }
  void on_connected() override { connected = true; }
  void on_drained() override { ++drained; }
  void on_ended(runtime::Ended why) override {
    ended = why;
    stream.reset();
  }
  void say(std::string_view text) {
    stream->output().append(text);
    stream->flush();
  }
  runtime::StreamPtr stream;
  std::string got;
  bool connected = false, echo = false, close_at_bytes = false, pause_at_bytes = false;
  int drained = 0, inputs = 0;
  std::optional<runtime::Ended> ended;
};

struct World {
  explicit World(std::uint64_t seed = 1) : network(seed), random(seed) {
    address = *server.listen({"127.0.0.1", 0});
    loop->start("server");
    client_loop->start("client");
  }
  ~World() {
    for (auto& end : ends) end->stream.reset();
    client.stream.reset();
  }
  // A client that has shaken hands and speaks for itself.
  std::unique_ptr<runtime::SimClient> connect(std::string_view unread = {}) {
    auto made = network.connect(address);
    made->send(as_bytes(upgrade + std::string(unread)));
    network.run();
    const std::string_view answer = as_text(made->received().view());
    const std::size_t end = answer.find("\r\n\r\n");
    REQUIRE(answer.starts_with("HTTP/1.1 101 "));
    made->received().consume(end + 4);
    return made;
  }
  std::string exchange(runtime::SimClient& from, std::string_view bytes) {
    from.send(as_bytes(bytes));
    network.run();
    std::string text(as_text(from.received().view()));
    from.received().clear();
    return text;
  }
  void connect_client(WebSocketCall call = {"localhost", "/mqtt", "mqtt", {}}) {
    client.stream = connect_websocket(
        *client_loop, random,
        {std::move(call),
         [this](runtime::StreamHandler& handler) { return client_loop->connect(address, handler); },
         [this](const Error& error) { refusal = error.message; }},
        client);
  }
  End& end() { return *ends.back(); }

  runtime::SimNetwork network;
  SeededRandom random;
  std::unique_ptr<runtime::Loop> loop = network.make_loop(), client_loop = network.make_loop();
  std::vector<std::unique_ptr<End>> ends;
  bool echo = false;
  HttpServer server{*loop, [this](const Request& request, const Exchange& exchange) {
                      const Response answer = answer_websocket(request, {"127.0.0.1", {}, {}});
                      if (answer.status != 101) return exchange.respond(answer);
                      auto taken = exchange.take_over(answer);
                      End& made = *ends.emplace_back(std::make_unique<End>());
                      made.echo = echo;
                      made.stream =
                          open_websocket(std::move(taken.stream), taken.unread.view(), made);
                    }};
  runtime::Address address;
  End client;
  std::string refusal;
};

TEST_CASE("frames in, frames out; a turn's output is one frame") {
  World world;
  world.echo = true;
  const auto client = world.connect();
  CHECK(world.exchange(*client, binary("\x10") + binary("rest") + binary("")) ==
        plain(WebSocketOpcode::binary, "\x10rest"));
  CHECK(world.end().inputs == 1);  // what came at once is one piece, whatever its frames
  CHECK(world.end().stream->peer().is_loopback());
}

TEST_CASE("what came behind the request is not lost, also if the user pauses") {
  World world;
  const auto client = world.connect(binary("early") + binary(" bird").substr(0, 3));
  CHECK(world.end().got == "early");
  world.exchange(*client, binary(" bird").substr(3));
  CHECK(world.end().got == "early bird");
  world.end().stream->pause();
  world.exchange(*client, binary("!"));
  CHECK(world.end().got == "early bird");
  world.end().stream->resume();
  world.network.run();
  CHECK(world.end().got == "early bird!");
}

TEST_CASE("any bytes both ways, however the network splits them, over our client") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(seed);
    world.echo = true;
    world.network.set_splitting(true);
    world.connect_client();
    world.client.say("before the handshake is done, ");
    world.network.run();
    CHECK(world.client.connected);
    std::string sent = "before the handshake is done, ";
    for (int i = 0; i < 30; ++i) {
      const std::string some = world.random.hex(world.random.below(i == 20 ? 300'000 : 400));
      sent += some;
      world.client.say(some);
      if (world.random.below(2) == 0) world.network.run();
    }
    world.network.run();
    CHECK(world.end().got == sent);
    CHECK(world.client.got == sent);
    world.client.stream.reset();
    world.network.run();
    CHECK(world.end().ended == runtime::Ended::goodbye);
  }
}

TEST_CASE("ping is answered, pong is not; only the last of many counts") {
  World world;
  const auto client = world.connect();
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += frame(WebSocketOpcode::ping, std::to_string(i));
  CHECK(world.exchange(*client, pings) == plain(WebSocketOpcode::pong, "999"));
  CHECK(world.exchange(*client, frame(WebSocketOpcode::pong, "x")).empty());
  CHECK(world.end().got.empty());

  // One that does not read gets no pong until it does.
  client->set_reading(false);
  world.end().say(std::string(300'000, 'x'));
  world.network.run();
  const std::size_t pending = world.end().stream->pending();
  for (int i = 0; i < 100; ++i) world.exchange(*client, pings);
  CHECK(world.end().stream->pending() == pending);
  client->set_reading(true);
  CHECK(world.exchange(*client, "").ends_with(plain(WebSocketOpcode::pong, "999")));
}

TEST_CASE("a close frame is echoed, after the payload before it was given") {
  World world;
  const auto client = world.connect();
  Buffer close;
  append_close(close, 1001, "bye", key);
  CHECK(world.exchange(*client, binary("last") + std::string(as_text(close.view())) + "rubbish") ==
        plain(WebSocketOpcode::close, "\x03\xe9"));
  CHECK(world.end().got == "last");
  CHECK(world.end().ended == runtime::Ended::goodbye);
  CHECK(client->closed_by_server());
}

TEST_CASE("who breaks the protocol is told why") {
  World world;
  const auto client = world.connect();
  const std::string answer =
      world.exchange(*client, binary("good") + frame(WebSocketOpcode::text, "bad"));
  CHECK(answer.substr(0, 1) == "\x88");
  CHECK(answer.substr(2, 2) == "\x03\xeb");
  CHECK(answer.find("text frame") != std::string::npos);
  CHECK(world.end().got == "good");
  CHECK(world.end().ended == runtime::Ended::error);
  CHECK(client->closed_by_server());
}

TEST_CASE("a user that drops the stream says goodbye, with all of its output") {
  World world;
  const auto client = world.connect();
  world.end().say("the end");
  world.end().stream.reset();
  CHECK(world.exchange(*client, "") ==
        plain(WebSocketOpcode::binary, "the end") + plain(WebSocketOpcode::close, "\x03\xe8"));
  CHECK(client->closed_by_server());

  const auto another = world.connect();
  world.end().close_at_bytes = true;
  CHECK(world.exchange(*another, binary("a") + frame(WebSocketOpcode::ping, "p")) ==
        plain(WebSocketOpcode::pong, "p") + plain(WebSocketOpcode::close, "\x03\xe8"));
  CHECK_FALSE(world.end().ended);
}

TEST_CASE("a user that goes away says so, and after it nothing else") {
  World world;
  const auto client = world.connect();
  world.end().say("the end");
  world.end().stream->go_away();
  world.end().stream.reset();
  CHECK(world.exchange(*client, "") ==
        plain(WebSocketOpcode::binary, "the end") + plain(WebSocketOpcode::close, "\x03\xe9"));
  CHECK(client->closed_by_server());
}

TEST_CASE("a client that vanishes ends the stream") {
  World world;
  auto client = world.connect();
  client->close(true);
  world.network.run();
  CHECK(world.end().ended == runtime::Ended::reset);
}

TEST_CASE("what a slow client has not taken is pending, and its taking is told") {
  World world;
  const auto client = world.connect();
  client->set_reading(false);
  world.end().say(std::string(200'000, 'x'));
  world.network.run();
  CHECK(world.end().stream->pending() > 100'000);
  world.end().say(std::string(100'000, 'y'));
  world.network.run();
  CHECK(world.end().stream->pending() > 200'000);
  CHECK(world.end().drained == 0);
  client->set_reading(true);
  const std::string all = world.exchange(*client, "");
  CHECK(world.end().drained == 1);
  CHECK(world.end().stream->pending() == 0);
  // The client sees what was sent, in frames that do not grow with it.
  std::vector<std::uint8_t> bytes(all.begin(), all.end());
  WebSocketReader reader(WebSocketRole::client);
  const WebSocketInput input = reader.read(bytes);
  CHECK(input.payload == 300'000);
  CHECK(all.size() > 300'000 + 4 * 4);
}

TEST_CASE("one that does not take its input holds the peer back") {
  World world;
  world.connect_client();
  world.network.run();
  world.end().pause_at_bytes = true;
  for (int i = 0; i < 20; ++i) {
    world.client.say(std::string(100'000, 'x'));
    world.network.run();
  }
  CHECK(world.client.stream->pending() > 1'000'000);
  world.end().pause_at_bytes = false;
  world.end().stream->resume();
  world.network.run();
  CHECK(world.end().got.size() == 2'000'000);
  CHECK(world.client.drained > 0);
}

TEST_CASE("a refused client learns why") {
  World world;
  world.connect_client({"evil.example", "/mqtt", "mqtt", {}});
  world.network.run();
  CHECK(world.client.ended == runtime::Ended::error);
  CHECK_FALSE(world.client.connected);
  CHECK(world.refusal.starts_with("the server refused WebSocket: 421 "));
  CHECK(world.refusal.find("evil.example") != std::string::npos);

  world.client.ended.reset();
  world.refusal.clear();
  world.address.port = 1;  // nobody listens
  world.connect_client();
  world.network.run();
  CHECK(world.client.ended == runtime::Ended::error);
  CHECK(world.refusal.empty());
}

TEST_CASE("a handler that is put in another's place hears of the stream") {
  World world;
  const auto client = world.connect();
  End other;
  world.end().stream->set_handler(other);
  world.exchange(*client, binary("to the other"));
  CHECK(other.got == "to the other");
  CHECK(world.end().got.empty());
}

}  // namespace
}  // namespace gnomon::net
