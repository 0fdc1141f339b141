#include "net/proxy.h"

#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

namespace gnomon::net {
namespace {

using namespace std::string_literals;

const std::string v2_start = "\r\n\r\n\0\r\nQUIT\n"s;
const std::string v2_ipv4 =
    v2_start + "\x21\x11\x00\x0c"s + "\xc0\x00\x02\x01\xc6\x33\x64\x01"s + "\xdc\x04\x01\xbb"s;
const std::string v2_ipv6 =
    v2_start + "\x21\x21\x00\x2b"s + "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05"s +
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x06"s + "\x00\x07\x01\xbb"s + "\x04\x00\x04tlv!"s;

// "more", "refused", or the header: size, then the peer or "-".
std::string read(std::string_view text) {
  // Of exactly this size, so that the address sanitizer sees what is outside.
  const std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[text.size()]);
  std::copy_n(text.data(), text.size(), bytes.get());
  const ProxyRead read = read_proxy_header({bytes.get(), text.size()});
  if (std::holds_alternative<ProxyMore>(read)) return "more";
  if (std::holds_alternative<ProxyRefused>(read)) return "refused";
  const auto& header = std::get<ProxyHeader>(read);
  return std::to_string(header.bytes) + ' ' + (header.has_peer ? header.peer.to_string() : "-");
}

TEST_CASE("headers are read, and nothing behind them") {
  const std::pair<std::string, std::string> cases[] = {
      {"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "45 192.0.2.1:56324"},
      {"PROXY TCP6 2001:db8::5 2001:db8::6 7 443\r\n", "42 [2001:db8::5]:7"},
      {"PROXY UNKNOWN\r\n", "15 -"},
      {"PROXY UNKNOWN ffff::1 what ever 1 2\r\n", "37 -"},
      {v2_ipv4, "28 192.0.2.1:56324"},
      {v2_ipv6, "59 [2001:db8::5]:7"},
      {v2_start + "\x20\x00\x00\x00"s, "16 -"},                         // LOCAL
      {v2_start + "\x20\x11\x00\x02xx"s, "18 -"},                       // LOCAL, with what to skip
      {v2_start + "\x21\x00\x00\x00"s, "16 -"},                         // UNSPEC
      {v2_start + "\x21\x12\x00\x0c"s + std::string(12, 'u'), "28 -"},  // UDP
      {v2_start + "\x21\x31\x00\xd8"s + std::string(216, 'u'), "232 -"},  // UNIX
  };
  for (const auto& [header, expected] : cases) {
    CAPTURE(header);
    for (std::size_t size = 0; size < header.size(); ++size)
      CHECK(read(header.substr(0, size)) == "more");
    CHECK(read(header) == expected);
    CHECK(read(header + "\x10\x0c\x00\x04MQTT"s) == expected);
  }
}

TEST_CASE("what is no header is refused, as soon as it can be") {
  for (const std::string& bad : {
           "\x10"s,                // an MQTT client that comes without the proxy
           "\x16\x03\x01"s,        // TLS
           "GET / HTTP/1.1\r\n"s,  //
           "proxy TCP4"s,          //
           "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n"s,
           "PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n"s,
           "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n"s,
           "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n"s,
           "PROXY TCP4 192.0.2.1 198.51.100.1 -1 2\r\n"s,
           "PROXY TCP4 2001:db8::5 2001:db8::6 1 2\r\n"s,
           "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n"s,
           "PROXY TCP4 192.0.2.1\0 198.51.100.1 1 2\r\n"s,
           "PROXY \r\n"s,
           "PROXY \n"s,
           "PROXY UNKNOWN "s + std::string(200, 'x'),
           v2_start + "\x11\x11\x00\x0c"s,                         // version 1 in its form
           v2_start + "\x22\x11\x00\x0c"s,                         // command 2
           v2_start + "\x21\x41\x00\x0c"s,                         // family 4
           v2_start + "\x21\x13\x00\x0c"s,                         // transport 3
           v2_start + "\x21\x11\xff\xff"s,                         // too long
           v2_start + "\x21\x11\x00\x0b"s + std::string(11, 'x'),  // too short for its addresses
           v2_start + "\x21\x21\x00\x23"s + std::string(35, 'x'),
       }) {
    CAPTURE(bad);
    CHECK(read(bad) == "refused");
  }
}

TEST_CASE("no more than the bound is ever asked for") {
  CHECK(read("PROXY UNKNOWN " + std::string(92, 'x')) == "more");     // 106
  CHECK(read("PROXY UNKNOWN " + std::string(93, 'x')) == "refused");  // 107
  CHECK(read("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n") == "107 -");
  CHECK(read(v2_start + "\x21\x11\x02\x08"s + std::string(519, 'x')) == "more");  // 536
  CHECK(read(v2_start + "\x21\x11\x02\x08"s + std::string(520, 'x')).starts_with("536 "));
  CHECK(read(v2_start + "\x21\x11\x02\x09"s) == "refused");  // 537
}

}  // namespace
}  // namespace gnomon::net
