#include "net/http.h"

#include <algorithm>
#include <chrono>

#include <doctest/doctest.h>

#include "runtime/sim.h"

namespace gnomon::net {
namespace {

struct Fixture {
  Fixture() {
    loop->start("http");
    address = *server.listen({"127.0.0.1", 0});
  }
  std::unique_ptr<runtime::SimClient> connect() { return network.connect(address); }
  std::string exchange(runtime::SimClient& client, std::string_view bytes) {
    client.send(as_bytes(bytes));
    network.advance(std::chrono::milliseconds(1));
    std::string received(as_text(client.received().view()));
    client.received().clear();
    return received;
  }

  runtime::SimNetwork network{1};
  std::unique_ptr<runtime::Loop> loop = network.make_loop();
  std::vector<Request> requests;
  std::vector<HttpServer::Respond> later;
  HttpServer server{*loop, [this](const Request& request, HttpServer::Respond respond) {
                      requests.push_back(request);
                      if (request.path() == "/later") return later.push_back(std::move(respond));
                      if (request.path() == "/stop") return server.stop();
                      if (request.path() == "/big") {
                        return respond({200, {}, std::string(100 * KiB, 'x')});
                      }
                      respond({200, {{"X-Seen", request.method}}, request.target});
                    }};
  runtime::Address address;
};

TEST_CASE("a request is answered, byte by byte as well") {
  Fixture fixture;
  const std::string request = "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nX-Thing: lamp\r\n\r\n";
  const std::string answer =
      "HTTP/1.1 200 OK\r\nX-Seen: GET\r\nContent-Length: 6\r\nConnection: keep-alive\r\n\r\n/a?b=1";
  const auto client = fixture.connect();
  CHECK(fixture.exchange(*client, request) == answer);
  std::string received;
  for (const char c : request) received += fixture.exchange(*client, {&c, 1});
  CHECK(received == answer);
  REQUIRE(fixture.requests.size() == 2);
  CHECK(fixture.requests[1].header("x-THING") == "lamp");
  CHECK(fixture.requests[1].header("x-other").empty());
  CHECK(fixture.requests[1].path() == "/a");
}

TEST_CASE("pipelined requests are answered in order, also when the first is answered late") {
  Fixture fixture;
  const auto client = fixture.connect();
  CHECK(fixture
            .exchange(*client,
                      "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
            .empty());
  REQUIRE(fixture.later.size() == 1);
  CHECK(fixture.requests.size() == 1);
  fixture.later[0]({200, {}, "first"});
  const std::string both = fixture.exchange(*client, "");
  CHECK(both.find("first") < both.find("/b"));
  CHECK(fixture.requests.size() == 2);
}

TEST_CASE("thousands of requests in one read are served without recursion") {
  Fixture fixture;
  const auto client = fixture.connect();
  constexpr int count = 20'000;
  std::string all;
  for (int i = 0; i < count; ++i) all += "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  fixture.exchange(*client, all);
  CHECK(fixture.requests.size() == count);
}

TEST_CASE("a client that does not take its answers gets no further ones") {
  Fixture fixture;
  const auto client = fixture.connect();
  client->set_reading(false);
  std::string all;
  for (int i = 0; i < 100; ++i) all += "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
  fixture.exchange(*client, all);
  CHECK(fixture.requests.size() < 6);
  client->set_reading(true);
  fixture.network.advance(std::chrono::milliseconds(1));
  CHECK(fixture.requests.size() == 100);
  CHECK(client->received().size() > 100 * 100 * KiB);

  const auto never = fixture.connect();
  never->set_reading(false);
  fixture.exchange(*never, all);
  fixture.network.advance(std::chrono::minutes(1));
  CHECK(never->closed_by_server());
  CHECK(fixture.requests.size() < 106);
}

TEST_CASE("answers larger than what may be unsent are served to one who reads, in order") {
  Fixture fixture;
  const auto client = fixture.connect();
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\nX: " + std::string(1000, 'x') +
           "\r\n\r\n";
  }
  const std::string received = fixture.exchange(*client, all);
  CHECK(fixture.requests.size() == 3000);
  std::size_t at = 0;
  for (int i = 0; i < 3000 && at != std::string::npos; ++i) {
    at = received.find("\r\n\r\n/" + std::to_string(i), at);
  }
  CHECK(at != std::string::npos);
}

TEST_CASE("each request is answered once") {
  Fixture fixture;
  const auto client = fixture.connect();
  fixture.exchange(*client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  fixture.later.at(0)({200, {}, "one"});
  fixture.later.at(0)({200, {}, "two"});
  fixture.exchange(*client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  fixture.later.at(0)({200, {}, "three"});
  fixture.later.at(1)({200, {}, "four"});
  fixture.network.run();
  const std::string received(as_text(client->received().view()));
  CHECK(received.find("two") == std::string::npos);
  CHECK(received.find("three") == std::string::npos);
  CHECK(received.ends_with("four"));
}

TEST_CASE("a handler may stop the server") {
  Fixture fixture;
  const auto client = fixture.connect();
  fixture.exchange(*client,
                   "GET /stop HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client->closed_by_server());
  CHECK(fixture.requests.size() == 1);
  CHECK(fixture.connect() == nullptr);
}

TEST_CASE("a client that waits before it sends its body is told to go on") {
  Fixture fixture;
  const auto client = fixture.connect();
  CHECK(fixture.exchange(
            *client,
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n") ==
        "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(fixture.exchange(*client, "h").empty());
  CHECK(fixture.exchange(*client, "i").starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("a body in chunks is put together") {
  Fixture fixture;
  const auto client = fixture.connect();
  fixture.exchange(*client,
                   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  REQUIRE(fixture.requests.size() == 1);
  CHECK(fixture.requests[0].body == "abcde");
}

TEST_CASE("chunks are bounded: their sum, their lines, their trailers") {
  const std::string chunk = "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
  std::string sum;
  for (int i = 0; i < 17; ++i) sum += chunk;
  const std::pair<std::string, std::string> refused[] = {
      {sum, "HTTP/1.1 413 "},
      {"1;" + std::string(100'000, 'x'), "HTTP/1.1 431 "},
      {"0\r\nX: " + std::string(100'000, 'x'), "HTTP/1.1 431 "},
      {"x", "HTTP/1.1 400 "},
  };
  for (const auto& [body, status] : refused) {
    Fixture fixture;
    const auto client = fixture.connect();
    fixture.exchange(*client, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::string received;
    for (std::size_t at = 0; at < body.size(); at += 1000) {
      received += fixture.exchange(*client, body.substr(at, 1000));
    }
    received += fixture.exchange(*client, "\r\n");
    CHECK(received.starts_with(status));
    CHECK(client->closed_by_server());
    CHECK(fixture.requests.empty());
  }
}

TEST_CASE("a body whose end is not known is refused, not taken for requests") {
  for (const char* coding :
       {"gzip", "chunked, gzip", "xchunked", "gzip\r\nTransfer-Encoding: chunked",
        "chunked\r\nContent-Length: 3"}) {
    Fixture fixture;
    const auto client = fixture.connect();
    const std::string answer = fixture.exchange(
        *client, "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + std::string(coding) +
                     "\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK((answer.starts_with("HTTP/1.1 501 ") || answer.starts_with("HTTP/1.1 400 ")));
    CHECK(client->closed_by_server());
    CHECK(fixture.requests.empty());
  }
}

TEST_CASE("what is pipelined behind an open request is bounded, and served after it") {
  Fixture fixture;
  const auto client = fixture.connect();
  std::string all = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 50'000; ++i) all += "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  fixture.exchange(*client, all);
  CHECK(fixture.requests.size() == 1);
  fixture.loop->post([&fixture] { fixture.later.at(0)({200, {}, "first"}); });  // in a turn
  CHECK(fixture.exchange(*client, "").find("\r\n\r\nfirst") != std::string::npos);
  CHECK(fixture.requests.size() == 50'001);
}

TEST_CASE("an answer whose connection or server is gone goes nowhere") {
  HttpServer::Respond respond;
  {
    Fixture fixture;
    auto client = fixture.connect();
    fixture.exchange(*client, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    respond = fixture.later.at(0);
    client->close();
    fixture.network.run();
    respond({200, {}, "late"});
    fixture.network.run();
  }
  respond({200, {}, "later still"});
}

TEST_CASE("bodies, HEAD, HTTP/1.0") {
  Fixture fixture;
  auto client = fixture.connect();
  const std::string post = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  CHECK(fixture.exchange(*client, post).starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(fixture.requests.at(0).body == "hello");
  CHECK(fixture.exchange(*client, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n")
            .ends_with("keep-alive\r\n\r\n"));
  CHECK_FALSE(client->closed_by_server());
  auto other = fixture.connect();
  fixture.exchange(*other, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK_FALSE(fixture.exchange(*other, "GET\r\n\r\n").ends_with("\r\n\r\n"));  // has a body
  CHECK(fixture.exchange(*client, "GET /o HTTP/1.0\r\n\r\n").ends_with("close\r\n\r\n/o"));
  CHECK(client->closed_by_server());
}

TEST_CASE("what is wrong or too large is refused with its status, closed, and counted") {
  using Stats = HttpServer::Stats;
  const std::string long_head(20'000, 'x');
  const struct {
    std::string request, status;
    std::uint64_t Stats::*counted;
  } refused[] = {
      {"\x16\x03\x01\x02\r\n\r\n", "HTTP/1.1 400 ", &Stats::malformed},
      {"\x10\x0c", "HTTP/1.1 400 ",
       &Stats::malformed},  // MQTT: at once, however little there is of it
      {"GET / HTTP/9\r\n\r\n", "HTTP/1.1 400 ", &Stats::malformed},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: " + long_head + "\r\n\r\n", "HTTP/1.1 431 ",
       &Stats::head_too_large},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 ",
       &Stats::body_too_large},
  };
  for (const auto& [request, status, counted] : refused) {
    Fixture fixture;
    const auto client = fixture.connect();
    CHECK(fixture.exchange(*client, request).starts_with(status));
    CHECK(client->closed_by_server());
    CHECK(fixture.requests.empty());
    CHECK(fixture.server.stats().*counted == 1);
  }
}

TEST_CASE("a connection that trickles or idles is closed; their number is bounded") {
  Fixture fixture;
  const auto slow = fixture.connect();
  fixture.exchange(*slow, "GET / HT");
  fixture.network.advance(std::chrono::seconds(20));
  fixture.exchange(*slow, "TP/1");
  CHECK_FALSE(slow->closed_by_server());
  fixture.network.advance(std::chrono::seconds(11));
  CHECK(slow->closed_by_server());
  CHECK(fixture.server.stats().idle == 1);
  const auto done = fixture.connect();
  fixture.exchange(*done, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  fixture.network.advance(std::chrono::seconds(31));
  CHECK(done->closed_by_server());
  CHECK(fixture.server.stats().idle == 1);  // it has been answered

  std::vector<std::unique_ptr<runtime::SimClient>> many;
  for (int i = 0; i < 300; ++i) many.push_back(fixture.connect());
  fixture.network.run();
  const auto closed = std::count_if(many.begin(), many.end(),
                                    [](const auto& client) { return client->closed_by_server(); });
  CHECK(closed == 300 - 256);
  CHECK(fixture.server.stats().too_many == 300 - 256);
}

}  // namespace
}  // namespace gnomon::net
