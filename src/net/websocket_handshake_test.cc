#include "net/websocket_handshake.h"

#include <functional>
#include <utility>

#include <doctest/doctest.h>

namespace gnomon::net {
namespace {

constexpr const char* rfc_key = "dGhlIHNhbXBsZSBub25jZQ==";
const KnownHosts hosts{"127.0.0.1", {}, {"https://app.example"}};

Request good() {
  return {"GET",
          "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256",
          {{"Host", "localhost"},
           {"Upgrade", "websocket"},
           {"Connection", "Upgrade"},
           {"Sec-WebSocket-Version", "13"},
           {"Sec-WebSocket-Key", rfc_key},
           {"Sec-WebSocket-Protocol", "mqtt"}},
          {},
          true};
}

// The good request with a header replaced (or, if `value` is null, left out).
Request with(std::string_view name, const char* value) {
  Request request = good();
  std::erase_if(request.headers, [&](const Header& one) { return same_name(one.name, name); });
  if (value != nullptr) request.headers.push_back({std::string(name), value});
  return request;
}

std::string protocol_of(const Response& response) {
  for (const Header& header : response.headers) {
    if (header.name == "Sec-WebSocket-Protocol") return header.value;
  }
  return {};
}

TEST_CASE("the example of RFC 6455 §1.3") {
  CHECK(accept_for(rfc_key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("a good request is accepted, and its sub-protocol echoed") {
  const Response response = answer_websocket(good(), hosts);
  CHECK(response.status == 101);
  CHECK(response.body.empty());
  REQUIRE(response.headers.size() == 4);
  CHECK(response.headers[2].value == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(protocol_of(response) == "mqtt");
  const std::pair<const char*, const char*> offers[] = {
      {"mqttv3.1", "mqttv3.1"},        // AWS IoT device SDK 1
      {"mqttv3.1, mqtt", "mqttv3.1"},  // the first that is ours
      {"chat , mqtt", "mqtt"},
  };
  for (const auto& [offered, chosen] : offers)
    CHECK(protocol_of(answer_websocket(with("Sec-WebSocket-Protocol", offered), hosts)) == chosen);
  CHECK(answer_websocket(with("Connection", "keep-alive, upgrade"), hosts).status == 101);
  CHECK(answer_websocket(with("Upgrade", "WebSocket"), hosts).status == 101);
}

TEST_CASE("permessage-deflate is declined by silence") {
  Request request = good();
  request.headers.push_back(
      {"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"});
  const Response response = answer_websocket(request, hosts);
  CHECK(response.status == 101);
  for (const Header& header : response.headers) CHECK(header.name != "Sec-WebSocket-Extensions");
}

TEST_CASE("what is wrong is refused with its status") {
  const auto status = [](const Request& request) {
    const Response response = answer_websocket(request, hosts);
    CHECK(response.body.size() > 10);
    return response.status;
  };
  Request request = good();
  request.target = "/";
  CHECK(status(request) == 404);
  request = good();
  request.method = "POST";
  CHECK(status(request) == 405);
  request = good();
  request.may_upgrade = false;  // HTTP/1.0, or with a body
  CHECK(status(request) == 426);
  CHECK(status(with("Host", "evil.example")) == 421);
  CHECK(status(with("Host", nullptr)) == 421);
  CHECK(status(with("Origin", "http://evil.example")) == 403);
  CHECK(status(with("Origin", "null")) == 403);
  CHECK(status(with("Upgrade", nullptr)) == 426);
  CHECK(status(with("Upgrade", "h2c")) == 426);
  CHECK(status(with("Connection", "close")) == 426);
  CHECK(status(with("Sec-WebSocket-Version", nullptr)) == 426);
  CHECK(status(with("Sec-WebSocket-Version", "8")) == 426);
  for (const char* key : {"", "short", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
                          "dGhlIHNhbXBsZSBub25jZQ=x", "dGhl HNhbXBsZSBub25jZQ=="})
    CHECK(status(with("Sec-WebSocket-Key", key)) == 400);
  CHECK(status(with("Sec-WebSocket-Protocol", nullptr)) == 400);
  for (const char* protocol : {"", "chat", "MQTT", "mqtt2", "mqttv5"})
    CHECK(status(with("Sec-WebSocket-Protocol", protocol)) == 400);
}

TEST_CASE("a page of our own or of a listed origin is let in") {
  CHECK(answer_websocket(with("Origin", "http://localhost"), hosts).status == 101);
  CHECK(answer_websocket(with("Origin", "https://app.example"), hosts).status == 101);
}

// ---- client

constexpr const char* answer =
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Accept:  s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const WebSocketCall call{"localhost:4566", "/mqtt", "mqtt", {{"X-Token", "t"}}};

std::string replaced(std::string_view what, std::string_view by) {
  std::string text = answer;
  text.replace(text.find(what), what.size(), by);
  return text;
}

TEST_CASE("the client's request is one that the server takes") {
  SeededRandom random(1);
  const std::string key = make_websocket_key(random);
  CHECK(answer_websocket(with("Sec-WebSocket-Key", key.c_str()), hosts).status == 101);
  Buffer out;
  append_request(out, call, key);
  CHECK(
      as_text(out.view()) ==
      "GET /mqtt HTTP/1.1\r\nHost: localhost:4566\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
          key + "\r\nSec-WebSocket-Protocol: mqtt\r\nX-Token: t\r\n\r\n");
}

TEST_CASE("the answer is read to its end and no further, in pieces, too") {
  const std::string text = answer;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto read = read_answer(as_bytes(text).first(size), call, rfc_key);
    REQUIRE(read);
    CHECK(*read == 0);
  }
  const auto read = read_answer(as_bytes(text + "\x82\x01x"), call, rfc_key);
  REQUIRE(read);
  CHECK(*read == text.size());
}

TEST_CASE("an answer that is none of ours is refused, with what the server said") {
  const auto error = [](std::string_view text) {
    const auto read = read_answer(as_bytes(text), call, rfc_key);
    REQUIRE_FALSE(read);
    return read.error();
  };
  const Error denied = error("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nbecause.\n");
  CHECK(denied.code == Code::denied);
  CHECK(denied.message == "the server refused WebSocket: 403 Forbidden: because.");
  CHECK(error("\x20\x02").code == Code::invalid);
  CHECK(error("HTTP/1.1 101 " + std::string(20'000, 'x')).code == Code::invalid);
  CHECK(error("HTTP/1.1 101 ok\r\n\r\n").code == Code::invalid);
  CHECK(error("HTTP/1.1 101 ok\r\nbad line\r\n\r\n").code == Code::invalid);
  CHECK(error(replaced("upgrade: websocket", "upgrade: h2c")).code == Code::invalid);
  CHECK(error(replaced("xOo=", "xOo+")).code == Code::invalid);
  CHECK(error(replaced("Protocol: mqtt", "Protocol: chat")).code == Code::invalid);
  CHECK(error(replaced("upgrade:", "Sec-WebSocket-Extensions: x\r\nupgrade:")).code ==
        Code::invalid);
}

}  // namespace
}  // namespace gnomon::net
