#include "net/address_range.h"

#include <arpa/inet.h>
#include <string>

#include <doctest/doctest.h>

namespace gnomon::net {
namespace {

runtime::Peer peer(const std::string& text) {
  runtime::Peer peer;
  const std::string mapped = text.find(':') == std::string::npos ? "::ffff:" + text : text;
  REQUIRE(inet_pton(AF_INET6, mapped.c_str(), peer.ip) == 1);
  return peer;
}

bool holds(const std::string& range, const std::string& address) {
  const auto parsed = AddressRange::parse(range);
  REQUIRE_MESSAGE(parsed.ok(), range);
  return parsed->holds(peer(address));
}

TEST_CASE("a range holds what begins with its bits") {
  CHECK(holds("10.0.0.0/8", "10.255.3.4"));
  CHECK(!holds("10.0.0.0/8", "11.0.0.0"));
  CHECK(holds("192.0.2.128/25", "192.0.2.200"));
  CHECK(!holds("192.0.2.128/25", "192.0.2.127"));
  CHECK(holds("192.0.2.7", "192.0.2.7"));
  CHECK(!holds("192.0.2.7", "192.0.2.6"));
  CHECK(holds("192.0.2.7/32", "192.0.2.7"));
  CHECK(holds("0.0.0.0/0", "203.0.113.9"));
  CHECK(!holds("0.0.0.0/0", "2001:db8::1"));
  CHECK(holds("2001:db8::/32", "2001:db8:1::1"));
  CHECK(!holds("2001:db8::/32", "2001:db9::1"));
  CHECK(holds("::/0", "203.0.113.9"));
  CHECK(holds("::1", "::1"));
}

TEST_CASE("what is no range") {
  for (const std::string text :
       {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "::/129", "10.0.0/8",
        "localhost", "/8", "10.0.0.1/8", "10.0.0.0 "}) {
    CAPTURE(text);
    const auto parsed = AddressRange::parse(text);
    REQUIRE(!parsed.ok());
    CHECK(parsed.error().code == Code::invalid);
    CHECK(parsed.error().message.starts_with('"' + text + '"'));
  }
}

}  // namespace
}  // namespace gnomon::net
