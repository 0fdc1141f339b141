#include "broker/trace.h"

#include <doctest/doctest.h>

#include "base/limits.h"

namespace gnomon::broker {
namespace {

std::string of(std::string_view bytes, mqtt::Version version = mqtt::Version::v5) {
  std::size_t size = 0;
  std::string text = describe(as_bytes(bytes), version, size);
  return text + (size == bytes.size() ? "" : " (" + std::to_string(size) + " bytes)");
}

using namespace std::string_view_literals;

TEST_CASE("packets to a client, as lines") {
  using mqtt::Version;
  CHECK(of("\x20\x02\x00\x05"sv, Version::v311) == "CONNACK: code 5");
  CHECK(of("\x20\x03\x01\x00\x00"sv) == "CONNACK session present");
  CHECK(of("\x30\x05\x00\x01thi"sv, Version::v311) == "PUBLISH t QoS 0, 2 bytes");
  CHECK(of("\x3b\x09\x00\x01t\x00\x07\x02\x01\x01x"sv) ==
        "PUBLISH t QoS 1 id 7 retain dup, 1 bytes");
  CHECK(of("\x40\x03\x00\x07\x97"sv) == "PUBACK 7: quota exceeded");
  CHECK(of("\x90\x05\x00\x07\x00\x01\x80"sv) == "SUBACK 7 1 128");
  CHECK(of("\xe0\x02\x98\x00"sv) == "DISCONNECT: administrative action");
  CHECK(of("\xd0\x00\x30"sv) == "PINGRESP (2 bytes)");
  CHECK(of("\x30"sv) == "PUBLISH (by its alias) QoS 0, 0 bytes");
}

TEST_CASE("a trace keeps the newest, and counts the others") {
  Trace trace;
  for (std::size_t i = 0; i < limits::trace_packets_max + 5; ++i)
    trace.add({1}, true, std::to_string(i));
  std::uint64_t dropped = 0;
  auto taken = trace.take(dropped);
  CHECK(dropped == 5);
  REQUIRE(taken.size() == limits::trace_packets_max);
  CHECK(taken.front().what == "5");
  taken = trace.take(dropped);
  CHECK(taken.empty());
  CHECK(dropped == 5);
}

}  // namespace
}  // namespace gnomon::broker
