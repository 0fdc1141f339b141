#include "cli/client_properties.h"

#include <doctest/doctest.h>

#include "mqtt/packet.h"

namespace gnomon::cli {
namespace {

using mqtt::PropertyId;
using Words = std::vector<std::string>;

// All of them; returns what is wrong.
std::string read(ClientProperties& given, std::span<const std::string> words) {
  std::string wrong;
  while (!words.empty() && wrong.empty()) words = words.subspan(given.take(words, wrong));
  return wrong;
}

TEST_CASE("properties, several in a row") {
  ClientProperties given;
  CHECK(given.empty());
  CHECK(read(given, Words{"connect", "session-expiry-interval", "30", "publish", "user-property",
                          "k", "v", "publish", "content-type", "text/plain", "publish",
                          "user-property", "k", "w"}) == "");
  CHECK(!given.empty());
  CHECK(given.number(Packet::connect, PropertyId::session_expiry_interval) == 30);
  CHECK(!given.number(Packet::connect, PropertyId::receive_maximum));
  CHECK(given.text(Packet::publish, PropertyId::content_type) == "text/plain");
  const Buffer raw = given.raw(Packet::publish);
  mqtt::PropertyReader reader(raw.view());
  mqtt::Property property;
  std::string seen;
  while (reader.next(property)) {
    (seen += property.text) += ' ';
    if (property.id == PropertyId::user_property) (seen += property.text_value) += ' ';
  }
  CHECK(seen == "k v text/plain k w ");
  CHECK(given.raw(Packet::connect).empty());
  CHECK(given.unused(std::vector{Packet::connect, Packet::publish}) == "");
  CHECK(given.unused(std::vector{Packet::connect}) == "--property: no packet publish is sent");
}

TEST_CASE("what is wrong with properties") {
  const auto wrong = [](const Words& words) {
    ClientProperties given;
    return read(given, words);
  };
  CHECK(wrong({"connack", "reason-string", "x"}) ==
        "\"connack\": must be connect, will, publish, subscribe, unsubscribe or disconnect");
  CHECK(wrong({"disconnect", "content-type", "x"}) ==
        "disconnect \"content-type\": must be one of session-expiry-interval, user-property");
  CHECK(wrong({"publish"}).starts_with("publish \"\": must be one of"));
  CHECK(wrong({"publish", "user-property", "k"}) ==
        "publish user-property: takes a name and a value");
  CHECK(wrong({"publish", "content-type"}) == "publish content-type: takes a value");
  CHECK(wrong({"connect", "receive-maximum", "0"}) ==
        "connect receive-maximum \"0\": must be a whole number from 1 to 65535");
  CHECK(wrong({"connect", "receive-maximum", "many"}).find("whole number") != std::string::npos);
  CHECK(wrong({"publish", "content-type", "a", "publish", "content-type", "b"}) ==
        "publish content-type: is given twice");
  CHECK(wrong({"publish", "content-type", std::string(65'536, 'x')}).find("65535") !=
        std::string::npos);
  CHECK(wrong({"publish", "topic-alias", "1"}).find("must be one of") != std::string::npos);
}

}  // namespace
}  // namespace gnomon::cli
