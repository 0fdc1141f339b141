// Classes of input that have broken brokers; the numbers are the rows of
// facts/hostile-input.md. Rows 2, 7 and 9 are in testdata/session.test, publish.test and
// connect.test; rows 3 and 4 in codec_test.cc.
#include <malloc.h>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "mqtt/connection.h"
#include "mqtt/encode.h"
#include "mqtt/test_support.h"
#include "mqtt/window.h"

namespace gnomon::mqtt {
namespace {

using namespace std::string_view_literals;
using testing::established;

const Settings settings;

// Bytes that malloc has handed out; sanitizers bring their own malloc, which says 0.
std::size_t heap_in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

TEST_CASE("row 1: a first packet that is not CONNECT is refused at its first byte") {
  for (const auto bytes : {"\x30"sv, "\x30\xff\xff\xff\x7f"sv, "\xf0\xff\xff\xff\x7f"sv,
                           "\x82\xff\xff\xff\x7f rest"sv, "\x00"sv, "GET / HTTP/1.1\r\n"sv}) {
    Connection server(Role::server, settings);
    Incoming incoming;
    Buffer out;
    ByteView in = as_bytes(bytes);
    CHECK(server.next(in, incoming, out) == Event::refused);
    CHECK(incoming.fault.reason == Reason::protocol_error);
    CHECK(out.empty());
    CHECK(server.kept() == 0);
  }
}

TEST_CASE("row 1: a CONNECT above its bound is refused before its body is kept") {
  for (const auto bytes : {"\x10\xff\xff\xff\x7f"sv, "\x10\x81\x80\x08"sv}) {
    Connection server(Role::server, settings);
    Incoming incoming;
    Buffer out;
    ByteView in = as_bytes(bytes);
    CHECK(server.next(in, incoming, out) == Event::refused);
    CHECK(incoming.fault.reason == Reason::packet_too_large);
    CHECK(out.empty());
  }
}

TEST_CASE("row 1: no memory is taken for a length that is only announced") {
  Settings large;
  large.packet_bytes_max = 268'435'460;  // all that the protocol can say
  std::vector<Connection> connections;
  connections.reserve(1000);
  Incoming incoming;
  Buffer out;
  const std::size_t before = heap_in_use();
  for (int i = 0; i < 1000; ++i) {
    connections.push_back(established(Role::server, Version::v5, large));
    ByteView in = as_bytes("\x30\xff\xff\xff\x7f\x00\x01"sv);
    REQUIRE(connections.back().next(in, incoming, out) == Event::none);
    CHECK(connections.back().kept() == 7);
  }
  CHECK(heap_in_use() - before < 1 * MiB);
}

TEST_CASE("row 1: field lengths inside CONNECT reach nowhere behind it") {
  // Protocol name, client id, property block, user name: each says 65,535 or more.
  for (const auto body : {"\xff\xffMQTT\x04\x02\x00\x00\x00\x00"sv,
                          "\x00\x04MQTT\x04\x02\x00\x00\xff\xff"
                          "d"sv,
                          "\x00\x04MQTT\x05\x02\x00\x00\xff\xff\x03\x00\x00"sv,
                          "\x00\x04MQTT\x05\x02\x00\x00\x05\x26\xff\xff\x00\x01\x00\x00"sv,
                          "\x00\x04MQTT\x04\x82\x00\x00\x00\x01"
                          "d\xff\xff"sv}) {
    const std::string packet =
        "\x10" + std::string(1, static_cast<char>(body.size())) + std::string(body);
    Connection server(Role::server, settings);
    Incoming incoming;
    Buffer out;
    const testing::Exact exact(as_bytes(packet));
    ByteView in = exact.view();
    CHECK(server.next(in, incoming, out) == Event::refused);
    CHECK(incoming.fault.reason == Reason::malformed_packet);
  }
}

TEST_CASE("row 2: continuation bytes without end stop at the fourth") {
  Connection server = established(Role::server, Version::v5, settings);
  Incoming incoming;
  Buffer out;
  for (const std::uint8_t byte : std::initializer_list<std::uint8_t>{0x30, 0xff, 0xff, 0xff}) {
    ByteView in{&byte, 1};
    CHECK(server.next(in, incoming, out) == Event::none);
  }
  const std::uint8_t fifth = 0xff;
  ByteView in{&fifth, 1};
  CHECK(server.next(in, incoming, out) == Event::refused);
  CHECK(incoming.fault.reason == Reason::malformed_packet);
}

std::string connect_with_user_properties(int count) {
  Buffer properties;
  for (int i = 0; i < count; ++i) append_user_property(properties, "", "");
  Connect connect;
  connect.user_properties = properties.view();
  Connection client(Role::client, settings);
  Buffer wire;
  client.connect(connect, wire);
  return std::string(as_text(wire.view()));
}

TEST_CASE("row 6: user properties are counted and bounded") {
  const auto connect = [](const std::string& bytes) {
    Connection server(Role::server, settings);
    Incoming incoming;
    Buffer out;
    ByteView in = as_bytes(bytes);
    const Event event = server.next(in, incoming, out);
    return event == Event::connect ? Reason::success : incoming.fault.reason;
  };
  CHECK(connect(connect_with_user_properties(64)) == Reason::success);
  CHECK(connect(connect_with_user_properties(65)) == Reason::quota_exceeded);
  CHECK(connect(connect_with_user_properties(13'000)) == Reason::quota_exceeded);
  CHECK(connect(connect_with_user_properties(13'200)) == Reason::packet_too_large);
  CHECK(connect(connect_with_user_properties(60'000)) == Reason::packet_too_large);
}

TEST_CASE("row 6: topic filters of one packet are counted and bounded") {
  for (const bool v5 : {false, true}) {
    for (const std::size_t count : {1024u, 1025u, 1'000'000u}) {
      Connection client = established(Role::client, v5 ? Version::v5 : Version::v311, settings);
      Connection server = established(Role::server, v5 ? Version::v5 : Version::v311, settings);
      Subscribe subscribe;
      subscribe.packet_id = 1;
      subscribe.entries.resize(count);
      Buffer wire;
      client.subscribe(subscribe, wire);
      Incoming incoming;
      Buffer out;
      ByteView in = wire.view();
      const Event event = server.next(in, incoming, out);
      CHECK(event == (count > 1024 ? Event::refused : Event::subscribe));
      if (event == Event::refused) CHECK(incoming.fault.reason == Reason::quota_exceeded);
    }
  }
}

TEST_CASE("row 10: QoS 2 ids that are never completed are bounded") {
  for (const Version version : {Version::v5, Version::v311}) {
    Connection client = established(Role::client, version, settings);
    Connection server = established(Role::server, version, settings);
    ReceivedIds received;
    Incoming incoming;
    Buffer answers;
    int taken = 0;
    Event last = Event::none;
    for (int round = 0; round < 2 && last != Event::refused; ++round) {
      for (int id = 1; id <= 65535; ++id) {
        Publish publish;
        publish.topic = "a";
        publish.qos = 2;
        publish.packet_id = static_cast<std::uint16_t>(id);
        Buffer wire;
        REQUIRE(client.publish(publish, wire));
        ByteView in = wire.view();
        last = server.next(in, incoming, answers);
        if (last == Event::refused) break;
        received.insert(incoming.publish.packet_id);
        server.ack({PacketType::pubrec, incoming.publish.packet_id, Reason::success, {}}, answers);
        ++taken;
      }
    }
    CHECK(last == Event::refused);
    CHECK(incoming.fault.reason == Reason::receive_maximum_exceeded);
    CHECK(taken == (version == Version::v5 ? 1024 : 65535));
    CHECK(received.size() == static_cast<std::size_t>(taken));
  }
}

TEST_CASE("row 16: a CONNECT of one byte at a time costs no more than its bytes") {
  const std::string bytes = connect_with_user_properties(64);
  Connection server(Role::server, settings);
  Incoming incoming;
  Buffer out;
  Event last = Event::none;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    CHECK(last == Event::none);
    ByteView in = as_bytes(std::string_view(bytes).substr(i, 1));
    last = server.next(in, incoming, out);
    CHECK(server.kept() <= i + 1);
  }
  CHECK(last == Event::connect);
  CHECK(server.kept() == 0);
}

}  // namespace
}  // namespace gnomon::mqtt
