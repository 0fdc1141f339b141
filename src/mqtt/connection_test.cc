// What Connection remembers from packet to packet, and what it answers.
#include "mqtt/connection.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mqtt/encode.h"
#include "mqtt/test_support.h"

namespace gnomon::mqtt {
namespace {

using testing::established;

// Two ends of a connection and the bytes between them.
struct Pair {
  explicit Pair(Version version, Connect request = {}, Settings limits = {}, Connack answer = {})
      : settings(limits), client(Role::client, settings), server(Role::server, settings) {
    request.version = version;
    client.connect(request, wire);
    REQUIRE(pass(server) == Event::connect);
    server.accept(answer, wire);
    if (server.established()) REQUIRE(pass(client) == Event::connack);
  }
  // Gives what is on the wire to `to` and returns its first event.
  Event pass(Connection& to) {
    bytes = std::move(wire);
    wire = Buffer();
    rest = bytes.view();
    return to.next(rest, incoming, wire);
  }
  std::string on_wire() const { return testing::show(wire.view()); }

  Settings settings;
  Connection client, server;
  Incoming incoming;
  Buffer wire, bytes;
  ByteView rest;
};

Publish message(std::string_view topic, std::string_view payload, std::uint8_t qos = 0,
                std::uint16_t packet_id = 0) {
  Publish publish;
  publish.topic = topic;
  publish.payload = as_bytes(payload);
  publish.qos = qos;
  publish.packet_id = packet_id;
  return publish;
}

std::string hex(const Buffer& buffer) {
  std::string text;
  for (const std::uint8_t byte : buffer.view()) text += testing::hex(byte).substr(2) + " ";
  if (!text.empty()) text.pop_back();
  return text;
}

TEST_CASE("a server that accepts announces the limits it enforces") {
  Settings settings;
  settings.receive_maximum = 10;
  settings.topic_alias_max = 4;
  settings.packet_bytes_max = 0x010203;
  Connack connack;
  connack.session_present = true;
  connack.maximum_qos = 1;
  const Pair pair(Version::v5, {}, settings, connack);
  CHECK(testing::show(pair.incoming.connack) ==
        "connack 0x00 present receive_maximum=10 maximum_qos=1 packet_size=66051 aliases=4");
  CHECK(pair.client.peer_receive_maximum() == 10);
  CHECK(pair.client.peer_topic_alias_max() == 4);
  CHECK(pair.client.peer_packet_bytes_max() == 0x010203);
  CHECK(pair.server.peer_packet_bytes_max() == 0x010203);
  CHECK(pair.client.established());
  CHECK(pair.server.established());
}

TEST_CASE("without MQTT 5 nothing is negotiated") {
  for (const Version version : {Version::v31, Version::v311}) {
    const Pair pair(version);
    CHECK(pair.server.version() == version);
    CHECK(pair.server.peer_receive_maximum() == 65535);
    CHECK(pair.server.peer_topic_alias_max() == 0);
    CHECK(pair.server.peer_packet_bytes_max() == UINT32_MAX);
  }
}

TEST_CASE("CONNACK of 3.1.1 says whether a session is present, of 3.1 not") {
  const Settings settings;
  for (const auto& [version, expected] :
       {std::pair{Version::v31, "20 02 00 00"}, std::pair{Version::v311, "20 02 01 00"}}) {
    Connect request;
    request.version = version;
    Connection client(Role::client, settings);
    Connection server(Role::server, settings);
    Buffer wire;
    client.connect(request, wire);
    ByteView in = wire.view();
    Incoming incoming;
    Buffer out;
    REQUIRE(server.next(in, incoming, out) == Event::connect);
    Connack connack;
    connack.session_present = true;
    server.accept(connack, out);
    CHECK(hex(out) == expected);
  }
}

TEST_CASE("a refusal has the code of the version") {
  const auto refuse = [](Version version, Reason reason, Connect request = {}) {
    const Settings settings;
    request.version = version;
    Connection client(Role::client, settings);
    Connection server(Role::server, settings);
    Buffer wire;
    client.connect(request, wire);
    ByteView in = wire.view();
    Incoming incoming;
    Buffer out;
    REQUIRE(server.next(in, incoming, out) == Event::connect);
    server.refuse(reason, "no", out);
    CHECK_FALSE(server.established());
    in = wire.view();
    CHECK(server.next(in, incoming, out) == Event::none);  // and nothing is read any more
    CHECK(in.empty());
    return hex(out);
  };
  CHECK(refuse(Version::v311, Reason::unsupported_protocol_version) == "20 02 00 01");
  CHECK(refuse(Version::v311, Reason::client_identifier_not_valid) == "20 02 00 02");
  for (const Reason reason : {Reason::server_unavailable, Reason::server_busy,
                              Reason::quota_exceeded, Reason::connection_rate_exceeded})
    CHECK(refuse(Version::v311, reason) == "20 02 00 03");
  CHECK(refuse(Version::v31, Reason::bad_user_name_or_password) == "20 02 00 04");
  for (const Reason reason :
       {Reason::not_authorized, Reason::banned, Reason::bad_authentication_method})
    CHECK(refuse(Version::v31, reason) == "20 02 00 05");
  CHECK(refuse(Version::v311, Reason::protocol_error) == "");
  CHECK(refuse(Version::v5, Reason::not_authorized) == "20 08 00 87 05 1f 00 02 6e 6f");

  Connect quiet;
  quiet.request_problem_information = false;
  CHECK(refuse(Version::v5, Reason::not_authorized, quiet) == "20 03 00 87 00");
}

TEST_CASE("a CONNACK that would be too large loses its reason string, then is not sent") {
  const auto refuse = [](std::size_t size) {
    Settings settings;
    settings.packet_bytes_max = size;
    Connection client(Role::client, settings);
    Connection server(Role::server, settings);
    Buffer wire;
    client.connect({}, wire);
    ByteView in = wire.view();
    Incoming incoming;
    Buffer out;
    const Settings roomy;
    Connection other(Role::server, roomy);
    REQUIRE(other.next(in, incoming, out) == Event::connect);
    other.refuse(Reason::banned, "no", out);
    return hex(out);
  };
  CHECK(refuse(10) == "20 08 00 8a 05 1f 00 02 6e 6f");
  CHECK(refuse(9) == "20 03 00 8a 00");
  CHECK(refuse(4) == "");
}

TEST_CASE("nothing is parsed between CONNECT and accept()") {
  const Settings settings;
  Connection client(Role::client, settings);
  Connection server(Role::server, settings);
  Buffer wire;
  Incoming incoming;
  Buffer out;
  Connect request;
  request.client_id = "patient";
  client.connect(request, wire);
  client.pingreq(wire);
  REQUIRE(client.publish(message("a", "1"), wire));

  // The CONNECT comes in two pieces, so that its views point into what the connection keeps.
  ByteView in = wire.view().first(10);
  REQUIRE(server.next(in, incoming, out) == Event::none);
  in = wire.view().subspan(10);
  REQUIRE(server.next(in, incoming, out) == Event::connect);
  const std::size_t behind = in.size();
  CHECK(behind > 2);
  server.keep(in);
  std::string more(100'000, '\xff');
  server.keep(as_bytes(more));
  CHECK(server.kept() == behind + more.size());
  CHECK(incoming.connect.client_id == "patient");  // keep() moved nothing under it

  in = {};
  CHECK(server.next(in, incoming, out) == Event::none);
  CHECK(out.empty());
  in = as_bytes("x");
  CHECK(server.next(in, incoming, out) == Event::none);
  CHECK(in.empty());
  CHECK(server.kept() == behind + more.size() + 1);

  server.accept({}, out);
  in = {};
  CHECK(server.next(in, incoming, out) == Event::pingreq);
  CHECK(server.next(in, incoming, out) == Event::publish);
  CHECK(testing::show(incoming.publish) == "publish a payload=1");
  CHECK(server.next(in, incoming, out) == Event::refused);
}

TEST_CASE("topic aliases from the peer are per connection and bounded by the settings") {
  Settings settings;
  settings.topic_alias_max = 0;
  Connection server = established(Role::server, Version::v5, settings);
  const Settings generous;
  Connection client = established(Role::client, Version::v5, generous);
  Incoming incoming;
  Buffer out;
  Buffer wire;
  REQUIRE(client.publish(message("long/topic", "1"), wire));
  ByteView in = wire.view();
  CHECK(server.next(in, incoming, out) == Event::refused);
  CHECK(incoming.fault.reason == Reason::topic_alias_invalid);
}

TEST_CASE("publish() uses the peer's aliases first come, first served") {
  Settings settings;
  settings.topic_alias_max = 2;
  Pair pair(Version::v5, {}, settings);
  const auto send = [&](std::string_view topic, std::string_view payload) {
    REQUIRE(pair.server.publish(message(topic, payload), pair.wire));
    const std::size_t size = pair.wire.size();
    REQUIRE(pair.pass(pair.client) == Event::publish);
    CHECK(pair.incoming.publish.topic == topic);
    CHECK(testing::show(pair.incoming.publish.payload) == payload);
    return std::pair{static_cast<int>(pair.incoming.publish.alias), size};
  };
  CHECK(send("devices/1", "a") == std::pair{1, std::size_t{2 + 11 + 4 + 1}});
  CHECK(send("devices/1", "b") == std::pair{1, std::size_t{2 + 2 + 4 + 1}});
  CHECK(send("devices/2", "c") == std::pair{2, std::size_t{2 + 11 + 4 + 1}});
  CHECK(send("devices/3", "d") == std::pair{0, std::size_t{2 + 11 + 1 + 1}});
  CHECK(send("devices/2", "e") == std::pair{2, std::size_t{2 + 2 + 4 + 1}});
  CHECK(send("devices/1", "f") == std::pair{1, std::size_t{2 + 2 + 4 + 1}});
  CHECK(send("abc", "g") == std::pair{0, std::size_t{2 + 5 + 1 + 1}});
}

TEST_CASE("an alias is not set by a PUBLISH that is too large to go out") {
  const Settings roomy;
  Settings tight;
  tight.packet_bytes_max = 40;
  Connection client(Role::client, tight);
  Connection server(Role::server, roomy);
  Incoming incoming;
  Buffer wire;
  Buffer out;
  client.connect({}, wire);
  ByteView in = wire.view();
  REQUIRE(server.next(in, incoming, out) == Event::connect);
  server.accept({}, out);
  out.clear();

  const std::string topic(20, 't');
  CHECK_FALSE(server.publish(message(topic, std::string(20, 'x')), out));
  CHECK(out.empty());
  // 2 + 22 + 1 + 15 = 40 in full; three more bytes would introduce the alias: too many.
  CHECK(server.publish(message(topic, std::string(15, 'x')), out));
  CHECK(out.size() == 40);
  out.clear();
  CHECK(server.publish(message(topic, "x"), out));
  CHECK(out.size() == 2 + 22 + 4 + 1);
  out.clear();
  // With the alias in place the large one fits.
  CHECK(server.publish(message(topic, std::string(20, 'x')), out));
  CHECK(out.size() == 2 + 2 + 4 + 20);
}

TEST_CASE("the receive maximum counts what is not finally acknowledged") {
  Settings settings;
  settings.receive_maximum = 2;
  Pair pair(Version::v5, {}, settings);
  const auto send = [&](std::uint8_t qos, std::uint16_t id) {
    REQUIRE(pair.client.publish(message("a", "x", qos, id), pair.wire));
    return pair.pass(pair.server);
  };
  Buffer answers;
  CHECK(send(1, 1) == Event::publish);
  CHECK(send(2, 2) == Event::publish);
  CHECK(pair.server.receiving() == 2);
  CHECK(send(0, 0) == Event::publish);
  CHECK(pair.server.ack({PacketType::puback, 1, Reason::success, {}}, answers));
  CHECK(pair.server.ack({PacketType::pubrec, 2, Reason::success, {}}, answers));
  CHECK(pair.server.receiving() == 1);
  CHECK(pair.server.ack({PacketType::pubcomp, 2, Reason::success, {}}, answers));
  CHECK(pair.server.receiving() == 0);
  // The end of an exchange from before this connection gives no credit.
  CHECK(pair.server.ack({PacketType::pubcomp, 9, Reason::success, {}}, answers));
  CHECK(pair.server.receiving() == 0);
  CHECK(send(2, 3) == Event::publish);
  CHECK(pair.server.ack({PacketType::pubrec, 3, Reason::quota_exceeded, {}}, answers));
  CHECK(pair.server.receiving() == 0);
  CHECK(send(1, 4) == Event::publish);
  CHECK(send(1, 5) == Event::publish);
  CHECK(send(1, 6) == Event::refused);
  CHECK(pair.incoming.fault.reason == Reason::receive_maximum_exceeded);
  REQUIRE(pair.pass(pair.client) == Event::disconnect);
  CHECK(pair.incoming.disconnect.reason == Reason::receive_maximum_exceeded);
}

TEST_CASE("acknowledgements carry reasons where the version has them") {
  const Settings settings;
  Connection v5 = established(Role::server, Version::v5, settings);
  Connection v311 = established(Role::server, Version::v311, settings);
  const auto encode = [](Connection& connection, const Ack& ack) {
    Buffer out;
    return connection.ack(ack, out) ? hex(out) : "closed";
  };
  CHECK(encode(v5, {PacketType::puback, 1, Reason::success, {}}) == "40 02 00 01");
  CHECK(encode(v5, {PacketType::pubrel, 258, Reason::success, {}}) == "62 02 01 02");
  CHECK(encode(v5, {PacketType::puback, 1, Reason::no_matching_subscribers, {}}) ==
        "40 03 00 01 10");
  CHECK(encode(v5, {PacketType::puback, 1, Reason::not_authorized, "no"}) ==
        "40 09 00 01 87 05 1f 00 02 6e 6f");
  CHECK(encode(v311, {PacketType::pubcomp, 1, Reason::packet_identifier_not_found, "x"}) ==
        "70 02 00 01");
  CHECK(encode(v311, {PacketType::puback, 1, Reason::no_matching_subscribers, {}}) ==
        "40 02 00 01");
  // What 3.1.1 cannot say ends the connection instead of passing for success.
  CHECK(encode(v311, {PacketType::puback, 1, Reason::not_authorized, "no"}) == "closed");
  CHECK_FALSE(v311.established());

  Connect quiet;
  quiet.request_problem_information = false;
  Connection terse = established(Role::server, Version::v5, settings, quiet);
  CHECK(encode(terse, {PacketType::puback, 1, Reason::not_authorized, "no"}) == "40 03 00 01 87");
}

TEST_CASE("SUBACK and UNSUBACK by version") {
  const Settings settings;
  const auto encode = [&](Version version, const SubscribeAck& ack) {
    Connection connection = established(Role::server, version, settings);
    Buffer out;
    const bool sent = connection.suback(ack, out);
    CHECK(sent == connection.established());
    return sent ? hex(out) : "closed";
  };
  const SubscribeAck good{PacketType::suback, 7, {Reason::success, Reason::granted_qos1}, {}};
  const SubscribeAck bad{PacketType::suback, 7, {Reason::quota_exceeded}, "no"};
  const SubscribeAck un{PacketType::unsuback, 7, {Reason::no_subscription_existed}, {}};
  CHECK(encode(Version::v5, good) == "90 05 00 07 00 00 01");
  CHECK(encode(Version::v311, good) == "90 04 00 07 00 01");
  CHECK(encode(Version::v31, good) == "90 04 00 07 00 01");
  CHECK(encode(Version::v5, bad) == "90 09 00 07 05 1f 00 02 6e 6f 97");
  CHECK(encode(Version::v311, bad) == "90 03 00 07 80");
  CHECK(encode(Version::v31, bad) == "closed");
  CHECK(encode(Version::v5, un) == "b0 04 00 07 00 11");
  CHECK(encode(Version::v311, un) == "b0 02 00 07");
}

TEST_CASE("DISCONNECT is said where the protocol has it") {
  const Settings settings;
  const auto encode = [&](Role role, Version version, const Disconnect& disconnect) {
    Connection connection = established(role, version, settings);
    Buffer out;
    connection.disconnect(disconnect, out);
    CHECK_FALSE(connection.established());
    return hex(out);
  };
  Disconnect taken;
  taken.reason = Reason::session_taken_over;
  taken.session_expiry_seconds = 5;  // not a server's to say
  CHECK(encode(Role::server, Version::v5, taken) == "e0 01 8e");
  CHECK(encode(Role::server, Version::v311, taken) == "");
  CHECK(encode(Role::client, Version::v311, {}) == "e0 00");
  CHECK(encode(Role::client, Version::v5, {}) == "e0 00");
  Disconnect leaving;
  leaving.reason = Reason::disconnect_with_will;
  leaving.session_expiry_seconds = 5;
  CHECK(encode(Role::client, Version::v5, leaving) == "e0 07 04 05 11 00 00 00 05");

  Connection fresh(Role::server, settings);
  Buffer out;
  fresh.disconnect(taken, out);
  CHECK(out.empty());
}

TEST_CASE("a session expiry may change in DISCONNECT unless it was 0") {
  Connect request;
  request.session_expiry_seconds = 60;
  Pair pair(Version::v5, request);
  Disconnect disconnect;
  disconnect.session_expiry_seconds = 120;
  pair.client.disconnect(disconnect, pair.wire);
  CHECK(pair.pass(pair.server) == Event::disconnect);
  CHECK(pair.incoming.disconnect.session_expiry_seconds == 120);
}

TEST_CASE("a topic known as valid is not checked again, any other is") {
  const Settings settings;
  Connection server = established(Role::server, Version::v311, settings);
  Incoming incoming;
  Buffer out;
  // Only to show what is compared: nobody calls such a topic valid.
  incoming.known_topic = "\xff/a";
  ByteView in = as_bytes(std::string_view("\x30\x05\x00\x03\xff/a", 7));
  CHECK(server.next(in, incoming, out) == Event::publish);
  in = as_bytes(std::string_view("\x30\x05\x00\x03\xff/b", 7));
  CHECK(server.next(in, incoming, out) == Event::refused);
}

TEST_CASE("what a PUBLISH does not have is not left over from the one before") {
  const Settings settings;
  Connection client = established(Role::client, Version::v5, settings);
  Incoming incoming;
  Buffer out;
  Buffer wire;
  Buffer properties;
  append_user_property(properties, "k", "v");
  Publish full = message("a", "1", 1, 3);
  full.properties = properties.view();
  full.expiry_seconds = 4;
  full.retain = full.dup = true;
  full.subscription_ids = {1, 2};
  append_publish(Version::v5, full, wire);
  append_publish(Version::v5, message("b", "2"), wire);
  ByteView in = wire.view();
  REQUIRE(client.next(in, incoming, out) == Event::publish);
  CHECK(
      testing::show(incoming.publish) ==
      "publish a payload=1 qos=1 packet=3 retain dup expiry=4 identifier=1 identifier=2 [26=k:v]");
  REQUIRE(client.next(in, incoming, out) == Event::publish);
  CHECK(testing::show(incoming.publish) == "publish b payload=2");
}

TEST_CASE("append_publish says where the packet id is, and publish_size how much there is") {
  Buffer properties;
  append_property(properties, PropertyId::content_type, "text/plain");
  for (const Version version : {Version::v31, Version::v311, Version::v5}) {
    for (const std::size_t size : {0u, 1u, 100u, 127u, 128u, 16'383u, 16'384u, 3'000'000u}) {
      const std::string payload(size, 'p');
      for (const std::uint8_t qos : std::initializer_list<std::uint8_t>{0, 1, 2}) {
        Publish publish = message("some/topic", payload, qos, qos > 0 ? 0x1234 : 0);
        publish.properties = properties.view();
        publish.expiry_seconds = 9;
        Buffer out;
        out.push(0xEE);
        const std::size_t at = append_publish(version, publish, out);
        CHECK(out.size() == 1 + publish_size(version, publish));
        if (qos == 0) {
          CHECK(at == 0);
        } else {
          CHECK(out.data()[1 + at] == 0x12);
          patch_packet_id(out.data() + 1 + at, 0x4321);
          Publish other = publish;
          other.packet_id = 0x4321;
          Buffer same;
          append_publish(version, other, same);
          CHECK(as_text(same.view()) == as_text(out.view().subspan(1)));
        }
      }
    }
  }
}

TEST_CASE("remaining lengths of one, two, three and four bytes") {
  const Settings settings;
  for (const Version version : {Version::v311, Version::v5}) {
    Connection server = established(Role::server, version, settings);
    Incoming incoming;
    Buffer out;
    // The topic and its kin take 3 or 4 bytes: the payload makes the length 127, 128, …
    for (const std::size_t edge : {128u, 256u, 16'384u, 32'768u, 2'097'152u}) {
      for (std::size_t size = edge - 6; size <= edge; ++size) {
        const std::string payload(size, 'p');
        Buffer wire;
        append_publish(version, message("a", payload), wire);
        append_publish(version, message("b", "next"), wire);
        ByteView in = wire.view();
        REQUIRE(server.next(in, incoming, out) == Event::publish);
        CHECK(incoming.publish.topic == "a");
        CHECK(incoming.publish.payload.size() == size);
        REQUIRE(server.next(in, incoming, out) == Event::publish);
        CHECK(testing::show(incoming.publish) == "publish b payload=next");
        CHECK(in.empty());
      }
    }
  }
}

TEST_CASE("an idle connection keeps no bytes") {
  const Settings settings;
  Connection server = established(Role::server, Version::v311, settings);
  Incoming incoming;
  Buffer out;
  Buffer wire;
  append_publish(Version::v311, message("a", std::string(100'000, 'x')), wire);
  ByteView in = wire.view().first(70'000);
  CHECK(server.next(in, incoming, out) == Event::none);
  CHECK(server.kept() == 70'000);
  in = wire.view().subspan(70'000);
  CHECK(server.next(in, incoming, out) == Event::publish);
  CHECK(incoming.publish.payload.size() == 100'000);
  CHECK(server.kept() == 0);
  CHECK(server.next(in, incoming, out) == Event::none);
  CHECK(server.kept() == 0);
}

TEST_CASE("PropertyReader gives back what append_property wrote") {
  Buffer raw;
  append_property(raw, PropertyId::payload_format_indicator, 1);
  append_property(raw, PropertyId::topic_alias, 0x1234);
  append_property(raw, PropertyId::message_expiry_interval, 0x12345678);
  append_property(raw, PropertyId::subscription_identifier, 268'435'455);
  append_property(raw, PropertyId::content_type, "text");
  append_user_property(raw, "name", "value");
  CHECK(testing::show_properties(raw.view()) ==
        " [01=1 23=4660 02=305419896 0b=268435455 03=text 26=name:value]");
}

}  // namespace
}  // namespace gnomon::mqtt
