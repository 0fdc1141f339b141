#include "cli/url.h"

#include <doctest/doctest.h>

namespace gnomon::cli {

TEST_CASE("URLs of brokers") {
  const auto bare = parse_broker_url("mqtt://broker.local");
  REQUIRE(bare.ok());
  CHECK(bare->scheme == "mqtt");
  CHECK(bare->host == "broker.local");
  CHECK(!bare->port);
  CHECK(!bare->username);
  CHECK(bare->topic.empty());

  const auto full = parse_broker_url("mqtt://me:p%40ss:w@127.0.0.1:1884/lamp/+/%23");
  REQUIRE(full.ok());
  CHECK(full->username == "me");
  CHECK(full->password == "p@ss:w");
  CHECK(full->host == "127.0.0.1");
  CHECK(full->port == 1884);
  CHECK(full->topic == "lamp/+/#");

  const auto six = parse_broker_url("mqtts://u@[::1]:8883/t");
  REQUIRE(six.ok());
  CHECK(six->scheme == "mqtts");
  CHECK(six->username == "u");
  CHECK(!six->password);
  CHECK(six->host == "::1");
  CHECK(six->port == 8883);
  CHECK(parse_broker_url("mqtt://h/a%zz")->topic == "a%zz");
}

TEST_CASE("URLs of brokers: what the scheme says") {
  struct Case {
    const char* text;
    bool tls, websocket;
    const char *topic, *path;
  };
  for (const Case& expected :
       {Case{"mqtt://h/t", false, false, "t", ""}, Case{"mqtts://h/a%20b", true, false, "a b", ""},
        Case{"ws://h", false, true, "", ""}, Case{"ws://h/", false, true, "", "/"},
        Case{"wss://u:p@h:1/mqtt?a=%2F/b", true, true, "", "/mqtt?a=%2F/b"}}) {
    CAPTURE(expected.text);
    const auto url = parse_broker_url(expected.text);
    REQUIRE(url.ok());
    CHECK(url->tls() == expected.tls);
    CHECK(url->websocket() == expected.websocket);
    CHECK(url->topic == expected.topic);
    CHECK(url->path == expected.path);
    CHECK(url->host == "h");
  }
}

TEST_CASE("what is no URL of a broker") {
  for (const char* text : {"", "broker", "http://h", "mqttx://h", "s://h", "://h", "mqtt://",
                           "mqtt:///t", "mqtt://h:", "mqtt://h:0", "mqtt://h:99999",
                           "mqtt://h:1x/t", "mqtt://[::1", "mqtt://[::1]1883", "mqtt://u:p@/t"}) {
    CAPTURE(text);
    CHECK(!parse_broker_url(text).ok());
  }
}

}  // namespace gnomon::cli
