// Exchanges: bodies and answers in pieces, early answers, connections that are taken over.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "net/http.h"
#include "runtime/sim.h"

namespace gnomon::net {
namespace {

using std::chrono::seconds;

struct Fixture {
  explicit Fixture(HttpServer::HeadHandler handler)
      : server(*loop, std::move(handler)), address(*server.listen({"127.0.0.1", 0})) {
    loop->start("http");
  }
  // What has come since the last call.
  std::string received(runtime::SimClient& client) {
    std::string text(as_text(client.received().view()));
    client.received().clear();
    return text;
  }
  std::string exchange(runtime::SimClient& client, std::string_view bytes) {
    client.send(as_bytes(bytes));
    network.advance(std::chrono::milliseconds(1));
    return received(client);
  }

  runtime::SimNetwork network{1};
  std::unique_ptr<runtime::Loop> loop = network.make_loop();
  HttpServer server;
  runtime::Address address;
};

TEST_CASE("a body comes in pieces, and its end once") {
  std::string body;
  int ends = 0;
  Fixture fixture([&](const Request& head, const Exchange& exchange) {
    CHECK(head.body.empty());
    exchange.read_body(1 * MiB, [&, exchange](ByteView piece, bool last) {
      body.append(as_text(piece));
      if (!last) return;
      ++ends;
      exchange.respond({200, {}, std::to_string(body.size())});
    });
  });
  const auto client = fixture.network.connect(fixture.address);
  const std::string big(200'000, 'b');
  fixture.network.set_splitting(true);
  CHECK(
      fixture.exchange(*client, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + big)
          .ends_with("\r\n\r\n200000"));
  CHECK(body == big);
  body.clear();
  CHECK(fixture
            .exchange(*client,
                      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\n")
            .ends_with("\r\n\r\n6"));
  CHECK(body == "hello!");
  body.clear();
  CHECK(fixture.exchange(*client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("\r\n\r\n0"));
  CHECK(ends == 3);
}

TEST_CASE("a body that nobody takes is not read, and the client is held back") {
  std::optional<Exchange> open;
  std::size_t taken = 0;
  Fixture fixture([&](const Request&, const Exchange& exchange) { open = exchange; });
  const auto connect = fixture.network.make_loop();
  // A client of a loop, so that its socket fills.
  struct Uploader final : runtime::StreamHandler {
    void on_connected() override {
      stream->output().append("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
      stream->output().append(std::string(1'000'000, 'u'));
      stream->flush();
    }
    void on_bytes(ByteView bytes) override { got.append(as_text(bytes)); }
    void on_ended(runtime::Ended) override { stream.reset(); }
    runtime::StreamPtr stream;
    std::string got;
  } uploader;
  connect->start("client");
  uploader.stream = connect->connect(fixture.address, uploader);
  fixture.network.run();
  REQUIRE(open);
  CHECK(uploader.stream->pending() > 500'000);
  open->read_body(1 * MiB, [&](ByteView piece, bool last) {
    taken += piece.size();
    if (taken > 100'000 && taken < 300'000) open->pause_body();
    if (last) open->respond({201, {}, "thanks"});
  });
  fixture.network.run();
  CHECK(taken > 100'000);
  CHECK(taken < 600'000);
  CHECK(uploader.stream->pending() > 100'000);
  for (int i = 0; i < 100 && taken < 1'000'000; ++i) {
    open->resume_body();
    fixture.network.run();
  }
  CHECK(taken == 1'000'000);
  CHECK(uploader.got.starts_with("HTTP/1.1 201 Created\r\n"));
  uploader.stream.reset();
}

TEST_CASE("a body beyond what is allowed is refused, announced or not") {
  int gone = 0;
  std::size_t taken = 0;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    exchange.on_gone([&] { ++gone; });
    exchange.read_body(10, [&](ByteView piece, bool) { taken += piece.size(); });
  });
  const auto announced = fixture.network.connect(fixture.address);
  CHECK(fixture
            .exchange(*announced,
                      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n"
                      "Expect: 100-continue\r\n\r\n")
            .starts_with("HTTP/1.1 413 "));
  CHECK(announced->closed_by_server());
  const auto chunked = fixture.network.connect(fixture.address);
  CHECK(fixture
            .exchange(*chunked,
                      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "8\r\n12345678\r\n8\r\n12345678\r\n")
            .starts_with("HTTP/1.1 413 "));
  CHECK(chunked->closed_by_server());
  CHECK(taken == 8);
  CHECK(gone == 2);
}

TEST_CASE("who collects a body may say what answers one that is too long") {
  int asked = 0, served = 0;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    exchange.collect_body(
        10,
        [&](const Request&, const HttpServer::Respond& respond) {
          ++served;
          respond({200, {}, {}});
        },
        [&] {
          ++asked;
          return Response{413, {{"X-Own", "yes"}}, "{}"};
        });
  });
  const std::string head = "PUT / HTTP/1.1\r\nHost: x\r\n";
  const auto client = fixture.network.connect(fixture.address);
  CHECK(fixture.exchange(*client, head + "Content-Length: 10\r\n\r\n1234567890")
            .starts_with("HTTP/1.1 200 "));
  for (const bool announced : {true, false}) {
    const auto other = fixture.network.connect(fixture.address);
    const std::string answer = fixture.exchange(
        *other, head + (announced ? "Content-Length: 12\r\n\r\n1"
                                  : "Transfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n"));
    CHECK(answer.starts_with("HTTP/1.1 413 "));
    CHECK(answer.find("X-Own: yes\r\n") != std::string::npos);
    CHECK(answer.ends_with("\r\n\r\n{}"));
    // Of one that was announced the rest is taken, so that the client sees the answer.
    CHECK(other->closed_by_server() == !announced);
    if (!announced) continue;
    CHECK(fixture.exchange(*other, "2345678901").empty());
    CHECK_FALSE(other->closed_by_server());
    CHECK(fixture.exchange(*other, "2").empty());
    CHECK(other->closed_by_server());
  }
  CHECK(asked == 2);
  CHECK(served == 1);
}

TEST_CASE("a refused body is taken for a time, and only if it is of some length") {
  int gone = 0;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    exchange.on_gone([&] { ++gone; });
    exchange.collect_body(10, [](const Request&, const HttpServer::Respond&) {});
  });
  const auto announce = [&](std::size_t length) {
    auto client = fixture.network.connect(fixture.address);
    CHECK(fixture
              .exchange(*client, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                                     std::to_string(length) + "\r\n\r\n")
              .starts_with("HTTP/1.1 413 "));
    return client;
  };
  CHECK(announce(limits::http_dropped_bytes_max + 1)->closed_by_server());
  const auto trickles = announce(limits::http_dropped_bytes_max);
  for (int n = 0; n < 5; ++n) {
    CHECK_FALSE(trickles->closed_by_server());
    fixture.network.advance(seconds(5));
    CHECK(fixture.exchange(*trickles, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").empty());
  }
  fixture.network.advance(seconds(6));
  CHECK(trickles->closed_by_server());
  CHECK(gone == 2);
  CHECK(fixture.server.connections() == 0);
}

TEST_CASE("who waits for 100 Continue gets it when the body is wanted, and not before") {
  std::optional<Exchange> open;
  Fixture fixture([&](const Request& head, const Exchange& exchange) {
    open = exchange;
    if (head.path() == "/no") exchange.respond({401, {}, {}});
  });
  const std::string head =
      " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
  const auto client = fixture.network.connect(fixture.address);
  CHECK(fixture.exchange(*client, "PUT /" + head).empty());
  open->collect_body(2, [](const Request& request, const HttpServer::Respond& respond) {
    respond({200, {}, request.body});
  });
  CHECK(fixture.exchange(*client, "") == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(fixture.exchange(*client, "ab").ends_with("\r\n\r\nab"));
  // Refused: the body will not come, but then it might; so the connection ends.
  CHECK(fixture.exchange(*client, "PUT /no" + head).starts_with("HTTP/1.1 401 "));
  CHECK(client->closed_by_server());
  CHECK_FALSE(open->open());
}

TEST_CASE("an early answer keeps the connection if the body is there already") {
  Fixture fixture([&](const Request& head, const Exchange& exchange) {
    exchange.respond({404, {}, std::string(head.path())});
  });
  const auto client = fixture.network.connect(fixture.address);
  const std::string both = fixture.exchange(*client,
                                            "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: "
                                            "3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(both.find("\r\n\r\n/a") < both.find("\r\n\r\n/b"));
  CHECK(both.ends_with("/b"));
  CHECK_FALSE(client->closed_by_server());
  CHECK(fixture.exchange(*client, "PUT /c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na")
            .find("Connection: close") != std::string::npos);
  CHECK(client->closed_by_server());
}

TEST_CASE("an answer in pieces: chunks, a length, or until the end") {
  std::string length;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    Response head{200, {{"X", "y"}}, "one,"};
    if (!length.empty()) head.headers.push_back({"Content-Length", length});
    exchange.begin(head);
    exchange.write("two");
    exchange.write("");
    exchange.finish();
    exchange.write("never");
  });
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto client = fixture.network.connect(fixture.address);
  CHECK(fixture.exchange(*client, get) ==
        "HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
        "4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n");
  CHECK(fixture.exchange(*client, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("alive\r\n\r\n"));
  length = "7";
  CHECK(fixture.exchange(*client, get) ==
        "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\none,two");
  length = "6";  // more is cut off, or it would pass for the next answer
  CHECK(fixture.exchange(*client, get).ends_with("\r\n\r\none,tw"));
  length.clear();
  const auto old = fixture.network.connect(fixture.address);
  CHECK(fixture.exchange(*old, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\none,two");
  CHECK(old->closed_by_server());
  length = "8";  // less: the client learns of it by the end
  CHECK(fixture.exchange(*client, get).ends_with("one,two"));
  CHECK(client->closed_by_server());
}

TEST_CASE("statuses without a body have none; a line in a header stays in it") {
  int status = 204;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    exchange.respond({status, {{"X", "a\r\nSet-Cookie: b"}}, "not sent"});
  });
  const auto client = fixture.network.connect(fixture.address);
  for (const int each : {204, 304}) {
    status = each;
    const std::string answer = fixture.exchange(*client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(answer.ends_with("X: a  Set-Cookie: b\r\nConnection: keep-alive\r\n\r\n"));
  }
}

TEST_CASE("a writer is told when its client has taken what was written, and when it goes") {
  std::optional<Exchange> open;
  int drained = 0, gone = 0;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    open = exchange;
    exchange.on_drained([&] { ++drained; });
    exchange.on_gone([&] { ++gone; });
    exchange.begin({200, {}, {}});
  });
  const auto client = fixture.network.connect(fixture.address);
  client->set_reading(false);
  fixture.exchange(*client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  open->write(std::string(300'000, 'x'));
  fixture.network.run();
  CHECK(open->pending() > 100'000);
  CHECK(drained == 0);
  client->set_reading(true);
  fixture.network.run();
  CHECK(open->pending() == 0);
  CHECK(drained == 1);
  client->close();
  fixture.network.run();
  CHECK(gone == 1);
  CHECK_FALSE(open->open());
  CHECK(open->request() == nullptr);
  open->write("nobody");
  open->finish();
}

TEST_CASE("a client that takes nothing of an answer loses it; one that is slow does not") {
  std::optional<Exchange> open;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    open = exchange;
    exchange.begin({200, {}, std::string(1'000'000, 'x')});
  });
  const auto client = fixture.network.connect(fixture.address);
  client->set_reading(false);
  fixture.exchange(*client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 5; ++i) {
    fixture.network.advance(seconds(20));
    client->set_reading(true);
    client->set_reading(false);
    fixture.network.run();
  }
  CHECK(open->open());
  fixture.network.advance(seconds(61));
  CHECK_FALSE(open->open());

  client->set_reading(true);
  const auto hoarder = fixture.network.connect(fixture.address);
  hoarder->set_reading(false);
  fixture.exchange(*hoarder, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 20; ++i) open->write(std::string(1 * MiB, 'x'));
  CHECK_FALSE(open->open());
}

TEST_CASE("a body that trickles ends; an answer may take its time") {
  std::optional<Exchange> open;
  Fixture fixture([&](const Request& head, const Exchange& exchange) {
    open = exchange;
    if (head.method == "PUT") exchange.read_body(1 * MiB, [](ByteView, bool) {});
  });
  const auto slow = fixture.network.connect(fixture.address);
  fixture.exchange(*slow, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  for (int i = 0; i < 4; ++i) {
    fixture.network.advance(seconds(20));
    fixture.exchange(*slow, std::string(5000, 's'));
  }
  CHECK_FALSE(slow->closed_by_server());
  for (int i = 0; i < 4; ++i) {
    fixture.network.advance(seconds(20));
    fixture.exchange(*slow, "s");
  }
  CHECK(slow->closed_by_server());
  const auto patient = fixture.network.connect(fixture.address);
  fixture.exchange(*patient, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  fixture.network.advance(seconds(600));
  open->respond({200, {}, "at last"});
  CHECK(fixture.exchange(*patient, "").ends_with("at last"));
}

TEST_CASE("a request that could be taken over says so") {
  std::vector<bool> may;
  Fixture fixture([&](const Request& head, const Exchange& exchange) {
    may.push_back(head.may_upgrade);
    exchange.respond({426, {}, {}});
  });
  const auto client = fixture.network.connect(fixture.address);
  const std::string upgrade = "Connection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n";
  fixture.exchange(*client, "GET / HTTP/1.1\r\nHost: x\r\n" + upgrade);
  fixture.exchange(*client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  fixture.exchange(*client, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n" + upgrade + "a");
  fixture.exchange(*client, "GET / HTTP/1.0\r\nHost: x\r\n" + upgrade);
  CHECK(may == std::vector<bool>{true, false, false, false});
}

TEST_CASE("a connection is taken over with what came behind its request") {
  struct Other final : runtime::StreamHandler {
    void on_bytes(ByteView bytes) override { got.append(as_text(bytes)); }
    void on_ended(runtime::Ended) override { stream.reset(); }
    runtime::StreamPtr stream;
    std::string got;
  } other;
  Fixture fixture([&](const Request&, const Exchange& exchange) {
    Exchange::Taken taken = exchange.take_over({101, {{"Upgrade", "other"}}, {}});
    REQUIRE(taken.stream);
    CHECK_FALSE(exchange.open());
    CHECK(exchange.take_over({101, {}, {}}).stream == nullptr);
    taken.stream->set_handler(other);
    other.got = as_text(taken.unread.view());
    other.stream = std::move(taken.stream);
    other.stream->output().append("hello");
    other.stream->flush();
  });
  const auto client = fixture.network.connect(fixture.address);
  const std::string answer = fixture.exchange(
      *client,
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\nat once,");
  CHECK(answer == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\nhello");
  fixture.exchange(*client, " and later");
  CHECK(other.got == "at once, and later");
  CHECK(fixture.server.connections() == 0);
  fixture.network.advance(seconds(100));  // no timer of the server's looks at it
  CHECK_FALSE(client->closed_by_server());
  fixture.server.stop();
  CHECK(fixture.exchange(*client, "!").empty());
  CHECK(other.got.ends_with("!"));
  other.stream.reset();
}

TEST_CASE("a stream that somebody else has begun to read is served") {
  Fixture fixture([](const Request& head, const Exchange& exchange) {
    exchange.respond({200, {}, exchange.peer()->to_string() + head.target});
  });
  // Reads a line, then hands over.
  struct First final : runtime::StreamHandler {
    explicit First(HttpServer& given) : server(given) {}
    void on_bytes(ByteView bytes) override {
      const std::string_view text = as_text(bytes);
      const std::size_t end = text.find('\n') + 1;
      runtime::Peer peer;
      peer.ip[15] = 1;
      peer.port = 5;
      stream->set_peer(peer);
      server.adopt(std::move(stream), bytes.subspan(end));
    }
    void on_ended(runtime::Ended) override { stream.reset(); }
    HttpServer& server;
    runtime::StreamPtr stream;
  } first(fixture.server);
  const auto listener = *fixture.loop->listen({"127.0.0.1", 0}, [&](auto accepted) {
    first.stream = fixture.loop->adopt(accepted[0], first);
  });
  const auto client = fixture.network.connect(listener->address());
  CHECK(fixture.exchange(*client, "line\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            .ends_with("\r\n\r\n[::1]:5/a"));
  CHECK(fixture.exchange(*client, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("5/b"));
}

}  // namespace
}  // namespace gnomon::net
