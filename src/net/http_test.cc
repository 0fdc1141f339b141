#include "net/http.h"

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
    network.run();
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
  CHECK(fixture.exchange(*client, "GET /later HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n").empty());
  REQUIRE(fixture.later.size() == 1);
  CHECK(fixture.requests.size() == 1);
  fixture.later[0]({200, {}, "first"});
  const std::string both = fixture.exchange(*client, "");
  CHECK(both.find("first") < both.find("/b"));
  CHECK(fixture.requests.size() == 2);
}

TEST_CASE("an answer whose connection or server is gone goes nowhere") {
  HttpServer::Respond respond;
  {
    Fixture fixture;
    auto client = fixture.connect();
    fixture.exchange(*client, "GET /later HTTP/1.1\r\n\r\n");
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
  const std::string post = "POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
  CHECK(fixture.exchange(*client, post).starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(fixture.requests.at(0).body == "hello");
  CHECK(fixture.exchange(*client, "HEAD /h HTTP/1.1\r\n\r\n").ends_with("keep-alive\r\n\r\n"));
  CHECK_FALSE(client->closed_by_server());
  CHECK(fixture.exchange(*client, "GET /o HTTP/1.0\r\n\r\n").ends_with("close\r\n\r\n/o"));
  CHECK(client->closed_by_server());
}

TEST_CASE("what is wrong or too large is refused with its status, and closed") {
  const std::string long_head(20'000, 'x');
  const std::pair<std::string, std::string> refused[] = {
      {"\x16\x03\x01\x02\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/9\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nX: " + long_head + "\r\n\r\n", "HTTP/1.1 431 "},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 "},
  };
  for (const auto& [request, status] : refused) {
    Fixture fixture;
    const auto client = fixture.connect();
    CHECK(fixture.exchange(*client, request).starts_with(status));
    CHECK(client->closed_by_server());
    CHECK(fixture.requests.empty());
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

  std::vector<std::unique_ptr<runtime::SimClient>> many;
  for (int i = 0; i < 300; ++i) many.push_back(fixture.connect());
  fixture.network.run();
  const auto closed = std::count_if(many.begin(), many.end(),
                                    [](const auto& client) { return client->closed_by_server(); });
  CHECK(closed == 300 - 256);
}

}  // namespace
}  // namespace gnomon::net
