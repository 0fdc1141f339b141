#include "net/hosts.h"

#include <doctest/doctest.h>

namespace gnomon::net {
namespace {

TEST_CASE("hosts: loopback names, the listener's address, the server's names") {
  const KnownHosts hosts{"192.0.2.7", {"broker.example", "*.iot.example", "::5"}, {}};
  for (const char* known :
       {"localhost", "LocalHost:4566", "localhost.", "iot.us-east-1.localhost:4566", "127.0.0.1",
        "127.9.9.9:1", "[::1]", "[::1]:4566", "192.0.2.7:8443", "broker.example",
        "BROKER.example:1", "a.iot.example", "b.a.iot.example", "[::5]:80"}) {
    CAPTURE(known);
    CHECK(hosts.knows_host(known));
  }
  for (const char* unknown :
       {"", ":80", "evil.example", "192.0.2.8", "[::2]", "iot.example", "xiot.example",
        "broker.example.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.1",
        "evil.example#localhost", "user@localhost", "localhost:x", "localhost:123456",
        "evil.example, localhost", "0.0.0.0"}) {
    CAPTURE(unknown);
    CHECK_FALSE(hosts.knows_host(unknown));
  }
}

TEST_CASE("hosts: on all addresses each of them is known, but no name is") {
  for (const char* all : {"0.0.0.0", "::", "[::]"}) {
    const KnownHosts hosts{all, {}, {}};
    CHECK(hosts.knows_host("192.0.2.8:8443"));
    CHECK(hosts.knows_host("[2001:db8::1]"));
    CHECK_FALSE(hosts.knows_host("evil.example"));
  }
  CHECK(KnownHosts{"127.0.0.1", {"*"}, {}}.knows_host("anything.example"));
}

TEST_CASE("origins: the host itself, and those listed") {
  const KnownHosts hosts{"127.0.0.1", {}, {"https://app.example", "http://localhost:3000"}};
  const auto allows = [&](const char* origin, const char* host) {
    CAPTURE(origin);
    return hosts.allows_origin(origin, host);
  };
  CHECK(allows("http://localhost:4566", "localhost:4566"));
  CHECK(allows("http://LOCALHOST:4566", "localhost:4566"));
  CHECK(allows("https://broker.example", "broker.example"));
  CHECK(allows("https://broker.example", "broker.example:443"));
  CHECK(allows("https://broker.example:8443", "broker.example:8443"));
  CHECK(allows("http://[::1]:4566", "[::1]:4566"));
  CHECK(allows("https://app.example", "localhost:4566"));
  CHECK(allows("http://localhost:3000", "localhost:4566"));
  for (const char* foreign :
       {"http://localhost:3001", "https://localhost", "https://app.example:444",
        "https://app.example.evil", "null", "", "file://", "http://", "ftp://localhost:4566",
        "http://localhost:4566@evil.example", "http://evil.example/localhost:4566"})
    CHECK_FALSE(allows(foreign, "localhost:4566"));
  CHECK(KnownHosts{"", {}, {"*"}}.allows_origin("null", "x"));
}

TEST_CASE("hosts: refusals say what would help; no origin is allowed, two are not") {
  const KnownHosts hosts{"127.0.0.1", {}, {}};
  Request request{"GET", "/mqtt", {{"Host", "evil.example"}}, {}};
  const auto host = refuse_host(request, hosts);
  REQUIRE(host);
  CHECK(host->status == 421);
  CHECK(host->body.find("evil.example") != std::string::npos);
  CHECK(host->body.find("hosts") != std::string::npos);
  CHECK_FALSE(refuse_origin(request, hosts));
  request.headers = {{"Host", "localhost"}, {"Origin", "http://evil.example"}};
  CHECK_FALSE(refuse_host(request, hosts));
  const auto origin = refuse_origin(request, hosts);
  REQUIRE(origin);
  CHECK(origin->status == 403);
  CHECK(origin->body.find("origins") != std::string::npos);
  request.headers = {
      {"Host", "localhost"}, {"Origin", "http://localhost"}, {"Origin", "http://evil.example"}};
  CHECK(refuse_origin(request, hosts));
}

}  // namespace
}  // namespace gnomon::net
