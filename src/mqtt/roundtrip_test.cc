// Random packets through one end's encoder and the other's decoder come out as they went in.
#include <deque>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/random.h"
#include "mqtt/connection.h"
#include "mqtt/test_support.h"

namespace gnomon::mqtt {
namespace {

using testing::show;

// Makes packets whose views stay valid as long as it lives.
class Maker {
 public:
  Maker(std::uint64_t seed, Version version) : random_(seed), version_(version) {}

  bool coin(std::uint64_t in = 2) { return random_.below(in) == 0; }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  std::uint16_t id() { return static_cast<std::uint16_t>(1 + below(65535)); }
  std::uint32_t number() { return static_cast<std::uint32_t>(random_.next() >> below(33) >> 31); }
  bool v5() const { return version_ == Version::v5; }

  std::string_view text(std::size_t least = 0) {
    static const char* const letters[] = {
        "a", "b", "/", "$", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", " ", "\x7f", "x", "0"};
    std::string made;
    const std::size_t count = least + below(coin(20) ? 300 : 12);
    for (std::size_t i = 0; i < count; ++i) made += letters[below(std::size(letters))];
    return hold(made);
  }
  ByteView binary() {
    std::string made(below(coin(20) ? 70'000 : 20), '\0');
    random_.fill({reinterpret_cast<std::uint8_t*>(made.data()), made.size()});
    return as_bytes(hold(made));
  }
  std::string_view short_binary() { return as_text(binary()).substr(0, 65'535); }

  RawProperties users() {
    Buffer& made = buffers_.emplace_back();
    if (v5())
      for (std::uint64_t count = coin(3) ? below(4) : 0; count > 0; --count)
        append_user_property(made, text(), text());
    return made.view();
  }
  RawProperties travelling() {
    Buffer& made = buffers_.emplace_back();
    if (!v5() || coin()) return made.view();
    if (coin()) append_property(made, PropertyId::payload_format_indicator, coin() ? 1 : 0);
    if (coin()) append_user_property(made, text(), text());
    if (coin()) append_property(made, PropertyId::content_type, text());
    if (coin()) append_property(made, PropertyId::response_topic, text(1));
    if (coin())
      append_property(made, PropertyId::correlation_data, as_text(binary()).substr(0, 99));
    if (coin()) append_user_property(made, text(), text());
    return made.view();
  }

  Connect connect() {
    Connect c;
    c.version = version_;
    c.client_id = text();
    c.clean_start = coin();
    c.keep_alive_seconds = static_cast<std::uint16_t>(below(65536));
    if (coin()) {
      Will& will = c.will.emplace();
      will.topic = text(1);
      will.payload = as_bytes(short_binary());
      will.qos = static_cast<std::uint8_t>(below(3));
      will.retain = coin();
      if (v5() && coin()) will.delay_seconds = number();
      if (v5() && coin()) will.expiry_seconds = number();
      will.properties = travelling();
    }
    if (coin()) c.username = text();
    if ((c.username || v5()) && coin()) c.password = as_bytes(short_binary().substr(0, 999));
    if (!v5()) return c;
    if (coin()) c.session_expiry_seconds = number();
    c.request_response_information = coin();
    c.request_problem_information = coin();
    if (coin()) {
      c.authentication_method = text();
      c.authentication_data = as_bytes(short_binary().substr(0, 999));
    }
    c.user_properties = users();
    return c;
  }

  Connack connack() {
    Connack c;
    c.session_present = version_ != Version::v31 && coin();
    if (!v5()) return c;
    if (coin()) c.session_expiry_seconds = number();
    c.maximum_qos = static_cast<std::uint8_t>(below(3));
    c.retain_available = coin();
    c.assigned_client_id = text();
    c.reason_string = text();
    c.wildcard_subscription_available = coin();
    c.subscription_identifier_available = coin();
    c.shared_subscription_available = coin();
    if (coin()) c.server_keep_alive = id();
    c.response_information = text();
    c.server_reference = text();
    c.authentication_method = text();
    c.user_properties = users();
    return c;
  }

  Publish publish(Role from) {
    Publish p;
    p.topic = coin(3) ? text(1) : topics_[below(std::size(topics_))];
    p.payload = binary();
    p.qos = static_cast<std::uint8_t>(below(3));
    if (p.qos > 0) p.packet_id = id();
    p.retain = coin();
    p.dup = p.qos > 0 && coin();
    p.properties = travelling();
    if (v5() && coin()) p.expiry_seconds = number();
    if (v5() && from == Role::server)
      for (std::uint64_t count = below(3); count > 0; --count)
        p.subscription_ids.push_back(1 + number() % 268'435'455);
    return p;
  }

  Ack ack() {
    static const Reason pub[] = {Reason::success, Reason::no_matching_subscribers,
                                 Reason::not_authorized, Reason::quota_exceeded};
    Ack a;
    a.type = static_cast<PacketType>(4 + below(4));
    a.packet_id = id();
    if (!v5()) return a;
    const bool is_first = a.type == PacketType::puback || a.type == PacketType::pubrec;
    if (is_first) a.reason = pub[below(4)];
    if (!is_first && coin()) a.reason = Reason::packet_identifier_not_found;
    if (coin()) a.reason_string = text();
    return a;
  }

  Subscribe subscribe() {
    Subscribe s;
    s.packet_id = id();
    if (v5() && coin()) s.identifier = 1 + number() % 268'435'455;
    for (std::uint64_t count = 1 + below(5); count > 0; --count) {
      SubscribeEntry& entry = s.entries.emplace_back();
      entry.filter = text();
      entry.qos = static_cast<std::uint8_t>(below(3));
      if (!v5()) continue;
      entry.no_local = coin();
      entry.retain_as_published = coin();
      entry.retain_handling = static_cast<std::uint8_t>(below(3));
    }
    s.user_properties = users();
    return s;
  }

  Unsubscribe unsubscribe() {
    Unsubscribe u;
    u.packet_id = id();
    for (std::uint64_t count = 1 + below(5); count > 0; --count) u.filters.push_back(text());
    u.user_properties = users();
    return u;
  }

  SubscribeAck subscribe_ack() {
    static const Reason un[] = {Reason::success, Reason::no_subscription_existed,
                                Reason::not_authorized};
    SubscribeAck a;
    a.type = coin() ? PacketType::suback : PacketType::unsuback;
    a.packet_id = id();
    if (v5() && coin()) a.reason_string = text();
    if (a.type == PacketType::unsuback && !v5()) return a;
    for (std::uint64_t count = 1 + below(5); count > 0; --count)
      a.reasons.push_back(a.type == PacketType::unsuback ? un[below(3)]
                                                         : static_cast<Reason>(below(3)));
    return a;
  }

  Disconnect disconnect(Role from) {
    Disconnect d;
    if (!v5()) return d;
    d.reason = coin() ? Reason::success : Reason::unspecified_error;
    if (from == Role::client && coin()) d.session_expiry_seconds = number();
    d.reason_string = text();
    d.server_reference = text();
    d.user_properties = users();
    return d;
  }

 private:
  std::string_view hold(const std::string& made) { return texts_.emplace_back(made); }

  SeededRandom random_;
  Version version_;
  std::deque<std::string> texts_;
  std::deque<Buffer> buffers_;
  static constexpr std::string_view topics_[] = {"fleet/1/state", "fleet/2/state", "fleet/3/state"};
};

// Both ends, each reading what the other wrote in pieces of random size.
class Ends {
 public:
  Ends(std::uint64_t seed, Version version)
      : maker_(seed, version), client_(Role::client, settings_), server_(Role::server, settings_) {}

  void run() {
    Connect connect = maker_.connect();
    if (connect.session_expiry_seconds == 0 && maker_.v5()) connect.session_expiry_seconds = 1;
    connect.request_problem_information = true;
    client_.connect(connect, wire_);
    // Both announce what their settings say.
    if (maker_.v5()) {
      connect.receive_maximum = settings_.receive_maximum;
      connect.topic_alias_maximum = settings_.topic_alias_max;
      connect.maximum_packet_size = static_cast<std::uint32_t>(settings_.packet_bytes_max);
    }
    expect(server_, show(connect));
    Connack connack = maker_.connack();
    server_.accept(connack, wire_);
    if (maker_.v5()) {
      connack.receive_maximum = settings_.receive_maximum;
      connack.topic_alias_maximum = settings_.topic_alias_max;
      connack.maximum_packet_size = static_cast<std::uint32_t>(settings_.packet_bytes_max);
    }
    expect(client_, show(connack));
    for (int i = 0; i < 40; ++i) exchange();
    const bool from_client = !maker_.v5() || maker_.coin();
    const Disconnect disconnect = maker_.disconnect(from_client ? Role::client : Role::server);
    (from_client ? client_ : server_).disconnect(disconnect, wire_);
    expect(from_client ? server_ : client_, show(disconnect));
  }

 private:
  void exchange() {
    switch (maker_.below(8)) {
      case 0: {
        const Subscribe subscribe = maker_.subscribe();
        client_.subscribe(subscribe, wire_);
        return expect(server_, show(subscribe));
      }
      case 1: {
        const Unsubscribe unsubscribe = maker_.unsubscribe();
        client_.unsubscribe(unsubscribe, wire_);
        return expect(server_, show(unsubscribe));
      }
      case 2: {
        const SubscribeAck ack = maker_.subscribe_ack();
        REQUIRE(server_.suback(ack, wire_));
        return expect(client_, show(ack));
      }
      case 3:
        client_.pingreq(wire_);
        expect(server_, "pingreq");
        return expect(client_, "pingresp");
      case 4: {
        const Ack ack = maker_.ack();
        const bool from_client = maker_.coin();
        REQUIRE((from_client ? client_ : server_).ack(ack, wire_));
        return expect(from_client ? server_ : client_, show(ack));
      }
      default: {
        const bool from_client = maker_.coin();
        Publish publish = maker_.publish(from_client ? Role::client : Role::server);
        REQUIRE((from_client ? client_ : server_).publish(publish, wire_));
        return expect(from_client ? server_ : client_, publish);
      }
    }
  }

  void expect(Connection& reader, const std::string& expected) {
    read(reader);
    CHECK(event_ == expected);
  }
  // A PUBLISH may have gone out with an alias; all else must be the same.
  void expect(Connection& reader, const Publish& publish) {
    read(reader);
    Publish with_alias = publish;
    with_alias.alias = incoming_.publish.alias;
    CHECK(event_ == show(with_alias));
  }

  void read(Connection& reader) {
    const std::string bytes(as_text(wire_.view()));
    wire_.clear();
    event_.clear();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size =
          maker_.coin() ? bytes.size() - at : 1 + maker_.below(bytes.size() - at);
      // What an event shows is taken before its bytes go.
      const testing::Exact piece(as_bytes(std::string_view(bytes).substr(at, size)));
      ByteView in = piece.view();
      for (Event event; (event = reader.next(in, incoming_, wire_)) != Event::none;) {
        CHECK(event_.empty());
        event_ = show(event, incoming_);
        if (event == Event::connect || testing::is_final(event)) break;
      }
      CHECK(in.empty());
      at += size;
    }
    CHECK(reader.kept() == 0);
  }

  Settings settings_;
  Maker maker_;
  Connection client_, server_;
  Incoming incoming_;
  Buffer wire_;
  std::string event_;
};

TEST_CASE("what one end encodes the other decodes to the same") {
  for (const Version version : {Version::v31, Version::v311, Version::v5}) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      CAPTURE(static_cast<int>(version));
      CAPTURE(seed);
      Ends(seed, version).run();
    }
  }
}

}  // namespace
}  // namespace gnomon::mqtt
