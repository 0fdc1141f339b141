#include "client/client.h"

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/sim.h"

namespace gnomon::client {
namespace {

using namespace std::chrono_literals;
using mqtt::Event, mqtt::PacketType, mqtt::Reason, mqtt::Version;

std::string number(std::uint64_t value) { return std::to_string(value); }

struct Lines {
  std::string text;
  void push_back(const std::string& line) { text += (text.empty() ? "" : "; ") + line; }
};

// Answers as a broker would, unless told otherwise, and notes what it heard.
class ScriptedServer final : public runtime::StreamHandler {
 public:
  explicit ScriptedServer(runtime::Loop& loop) : loop_(loop) {
    auto listener = loop.listen({"127.0.0.1", 1883}, [this](auto accepted) {
      for (const runtime::Accepted& one : accepted) adopt(one);
    });
    REQUIRE(listener.ok());
    listener_ = std::move(*listener);
  }

  mqtt::Settings settings;
  mqtt::Connack connack;
  bool mute = false;  // answer nothing
  bool slow = false;  // answer no PUBLISH
  Lines heard;

  mqtt::Connection& machine() { return *machine_; }
  Buffer& output() { return stream_->output(); }
  void flush() { stream_->flush(); }
  void hang_up() { stream_.reset(); }
  void puback(std::uint16_t id, Reason reason = Reason::success) {
    machine_->ack({PacketType::puback, id, reason, {}}, output());
    flush();
  }
  void publish(std::string_view topic, std::string_view payload, std::uint8_t qos,
               std::uint16_t id) {
    mqtt::Publish publish;
    publish.topic = topic;
    publish.payload = as_bytes(payload);
    publish.qos = qos;
    publish.packet_id = id;
    machine_->publish(publish, output());
    flush();
  }

 private:
  void adopt(const runtime::Accepted& one) {
    machine_ = std::make_unique<mqtt::Connection>(mqtt::Role::server, settings);
    stream_ = loop_.adopt(one, *this);
  }
  void on_bytes(ByteView in) override {
    if (mute) return;
    Event event{};
    while (stream_ && (event = machine_->next(in, incoming_, output())) != Event::none)
      handle(event);
    if (stream_) flush();
  }
  void on_ended(runtime::Ended /*why*/) override {
    heard.push_back("end");
    stream_.reset();
  }
  void answer(PacketType type, std::uint16_t id) {
    machine_->ack({type, id, Reason::success, {}}, output());
  }
  void handle(Event event);
  void handle_ack(const mqtt::Ack& ack);

  runtime::Loop& loop_;
  std::unique_ptr<runtime::Listener> listener_;
  runtime::StreamPtr stream_;
  std::unique_ptr<mqtt::Connection> machine_;
  mqtt::Incoming incoming_;
};

void ScriptedServer::handle(Event event) {
  switch (event) {
    case Event::connect:
      heard.push_back("connect " + std::string(incoming_.connect.client_id));
      if (connack.reason >= Reason::unspecified_error)
        machine_->refuse(connack.reason, connack.reason_string, output());
      else
        machine_->accept(connack, output());
      return;
    case Event::subscribe: {
      mqtt::SubscribeAck ack{PacketType::suback, incoming_.subscribe.packet_id, {}, {}};
      for (const auto& entry : incoming_.subscribe.entries) {
        heard.push_back("subscribe " + std::string(entry.filter));
        ack.reasons.push_back(static_cast<Reason>(entry.qos));
      }
      return static_cast<void>(machine_->suback(ack, output()));
    }
    case Event::unsubscribe: {
      heard.push_back("unsubscribe " + std::string(incoming_.unsubscribe.filters.at(0)));
      const std::uint16_t id = incoming_.unsubscribe.packet_id;
      const mqtt::SubscribeAck ack{PacketType::unsuback, id, {Reason::success}, {}};
      return static_cast<void>(machine_->suback(ack, output()));
    }
    case Event::publish: {
      const mqtt::Publish& publish = incoming_.publish;
      heard.push_back("publish " + std::string(publish.topic) + ' ' +
                      std::string(as_text(publish.payload)) + " q" + number(publish.qos));
      if (slow || publish.qos == 0) return;
      const auto type = publish.qos == 1 ? PacketType::puback : PacketType::pubrec;
      return answer(type, publish.packet_id);
    }
    case Event::ack:
      return handle_ack(incoming_.ack);
    case Event::pingreq:
      heard.push_back("pingreq");
      return;
    case Event::disconnect:
      heard.push_back("disconnect");
      return;
    default:
      heard.push_back("event " + number(static_cast<unsigned>(event)));
  }
}

void ScriptedServer::handle_ack(const mqtt::Ack& ack) {
  heard.push_back("ack " + number(static_cast<unsigned>(ack.type)) + ' ' + number(ack.packet_id));
  if (ack.type == PacketType::pubrel) answer(PacketType::pubcomp, ack.packet_id);
  if (ack.type == PacketType::pubrec) answer(PacketType::pubrel, ack.packet_id);
}

// Notes what the client told it.
class Notes final : public Handler {
 public:
  Lines told;
  std::function<void()> on_first_message;

  void on_connected(const mqtt::Connack& /*connack*/) override { told.push_back("connected"); }
  void on_message(const mqtt::Publish& publish) override {
    told.push_back("message " + std::string(publish.topic) + ' ' +
                   std::string(as_text(publish.payload)));
    if (on_first_message) std::exchange(on_first_message, nullptr)();
  }
  void on_subscribed(const mqtt::SubscribeAck& ack) override {
    told.push_back("subscribed " + number(ack.packet_id));
  }
  void on_published(std::uint16_t id, Reason reason) override {
    told.push_back("published " + number(id) + ' ' + std::string(mqtt::describe(reason)));
  }
  void on_room() override { told.push_back("room"); }
  void on_closed(const Closed& why) override {
    told.push_back("closed " + number(static_cast<unsigned>(why.kind)) + ": " + why.message);
  }
};

struct World {
  runtime::SimNetwork network{7};
  std::unique_ptr<runtime::Loop> server_loop = network.make_loop();
  std::unique_ptr<runtime::Loop> client_loop = network.make_loop();
  ScriptedServer server{*server_loop};
  Notes notes;
  mqtt::Settings settings;
  SeededRandom random{1};
  Transport transport{*client_loop, random, {{"127.0.0.1", 1883}, {}, {}, {}}};
  Transport nowhere{*client_loop, random, {{"127.0.0.1", 9}, {}, {}, {}}};
  Client client{*client_loop, notes, settings};

  World() {
    server_loop->start("server");
    client_loop->start("client");
  }
  void connect(Version version = Version::v5, std::uint16_t keep_alive = 0) {
    mqtt::Connect connect;
    connect.version = version;
    connect.client_id = "c";
    connect.keep_alive_seconds = keep_alive;
    client.connect(transport, connect);
    network.run();
  }
  Result<std::uint16_t> publish(std::string_view payload, std::uint8_t qos) {
    mqtt::Publish publish;
    publish.topic = "t";
    publish.payload = as_bytes(payload);
    publish.qos = qos;
    return client.publish(publish);
  }
  // What the server heard and what the user was told since it was last asked, one after the other.
  std::string heard() {
    network.run();
    return std::exchange(server.heard, {}).text;
  }
  std::string told() {
    network.run();
    return std::exchange(notes.told, {}).text;
  }
};

TEST_CASE("in a session that was resumed a QoS 2 id is released before it is used") {
  World world;
  world.server.connack.session_present = true;
  world.connect();
  CHECK(world.told() == "connected");
  REQUIRE(world.publish("a", 2).ok());
  CHECK(world.heard() == "connect c; ack 6 1; publish t a q2; ack 6 1");
  CHECK(world.told() == "published 1 success");
  REQUIRE(world.publish("b", 1).ok());
  CHECK(world.heard() == "publish t b q1");
}

TEST_CASE("client: connect, subscribe, unsubscribe, disconnect in each version") {
  for (const Version version : {Version::v31, Version::v311, Version::v5}) {
    World world;
    world.connect(version);
    CHECK(world.told() == "connected");
    CHECK(world.client.connected());
    mqtt::Subscribe subscribe;
    subscribe.entries.push_back({.filter = "a/#", .qos = 1});
    const std::uint16_t first = world.client.subscribe(subscribe);
    const std::uint16_t second = world.client.unsubscribe({0, {"a/#"}, {}});
    CHECK(first != second);
    CHECK(world.heard() == "connect c; subscribe a/#; unsubscribe a/#");
    CHECK(world.told() == "subscribed " + number(first) + "; subscribed " + number(second));
    CHECK(world.client.in_flight() == 0);
    world.client.disconnect();
    CHECK(world.heard().starts_with("disconnect"));
    CHECK(world.told() == "");
  }
}

TEST_CASE("client: publish with each QoS") {
  World world;
  world.connect();
  REQUIRE(world.publish("zero", 0).ok());
  const auto one = world.publish("one", 1);
  const auto two = world.publish("two", 2);
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(world.client.in_flight() == 2);
  CHECK(world.heard() ==
        "connect c; publish t zero q0; publish t one q1; publish t two q2; ack 6 " + number(*two));
  CHECK(world.told() == "connected; published " + number(*one) + " success; published " +
                            number(*two) + " success");
  CHECK(world.client.in_flight() == 0);
}

TEST_CASE("client: the server's refusal of a message reaches the user") {
  World world;
  world.server.slow = true;
  world.connect();
  const auto id = world.publish("x", 1);
  REQUIRE(id.ok());
  world.network.run();
  world.server.puback(*id, Reason::not_authorized);
  CHECK(world.told() == "connected; published " + number(*id) + ' ' +
                            std::string(mqtt::describe(Reason::not_authorized)));
}

TEST_CASE("client: no more in flight than the server's receive maximum") {
  World world;
  world.server.settings.receive_maximum = 2;
  world.server.slow = true;
  world.connect();
  CHECK(world.told() == "connected");
  REQUIRE(world.client.can_publish(1));
  const auto first = world.publish("1", 1);
  REQUIRE(world.client.can_publish(1));
  REQUIRE(world.publish("2", 1).ok());
  CHECK(!world.client.can_publish(1));
  CHECK(world.client.can_publish(0));
  CHECK(world.told() == "");
  world.server.puback(*first);
  CHECK(world.told() == "published " + number(*first) + " success; room");
  CHECK(world.client.can_publish(1));
}

TEST_CASE("client: what the server announced it does not take is an error, not a packet") {
  World world;
  world.server.connack.maximum_qos = 1;
  world.server.connack.retain_available = false;
  world.server.settings.packet_bytes_max = 100;
  world.server.settings.connect_bytes_max = 100;
  world.connect();
  CHECK(world.publish("x", 2).error().code == Code::unsupported);
  mqtt::Publish retained;
  retained.topic = "t";
  retained.retain = true;
  CHECK(world.client.publish(retained).error().code == Code::unsupported);
  CHECK(world.publish(std::string(200, 'x'), 1).error().code == Code::exhausted);
  CHECK(world.client.in_flight() == 0);
  CHECK(world.heard() == "connect c");
}

TEST_CASE("client: messages come once and are acknowledged") {
  World world;
  world.connect();
  world.heard();
  world.told();
  world.server.publish("a", "zero", 0, 0);
  world.server.publish("a", "one", 1, 7);
  world.server.publish("a", "two", 2, 8);
  world.network.run();
  CHECK(world.told() == "message a zero; message a one; message a two");
  CHECK(world.heard() == "ack 4 7; ack 5 8; ack 7 8");
}

TEST_CASE("client: a QoS 2 message sent twice is delivered once") {
  World world;
  world.connect();
  world.told();
  world.server.publish("a", "x", 2, 8);
  world.server.publish("a", "x", 2, 8);
  CHECK(world.told() == "message a x");
}

TEST_CASE("client: the handler may disconnect while messages wait behind") {
  World world;
  world.connect();
  world.heard();
  world.told();
  world.notes.on_first_message = [&] { world.client.disconnect(); };
  world.server.publish("a", "1", 1, 1);
  world.server.publish("a", "2", 1, 2);
  CHECK(world.told() == "message a 1");
  CHECK(world.heard().starts_with("disconnect"));
  CHECK(!world.client.connected());
}

TEST_CASE("client: who disconnects in the handler may acknowledge what it was told") {
  for (const std::uint8_t qos : {std::uint8_t{1}, std::uint8_t{2}}) {
    World world;
    world.connect();
    world.heard();
    world.notes.on_first_message = [&] {
      world.client.acknowledge();
      world.client.disconnect();
    };
    world.server.publish("a", "1", qos, 1);
    world.server.publish("a", "2", qos, 2);
    const auto type = qos == 1 ? PacketType::puback : PacketType::pubrec;
    CHECK(
        world.heard().starts_with("ack " + number(static_cast<unsigned>(type)) + " 1; disconnect"));
  }
}

TEST_CASE("client: refused, unreachable, silent") {
  World world;
  world.server.connack.reason = Reason::not_authorized;
  world.server.connack.reason_string = "no such device";
  world.connect();
  std::string told = world.told();
  CHECK(told.starts_with("closed 1: the server refused the connection: "));
  CHECK(told.ends_with("(no such device)"));

  world.client.connect(world.nowhere, {});
  told = world.told();
  CHECK(told.starts_with("closed 0: cannot connect to 127.0.0.1:9: "));

  world.server.mute = true;
  world.client.connect(world.transport, {}, 5s);
  CHECK(world.told() == "");
  world.network.advance(5s);
  CHECK(world.told() == "closed 0: no answer from 127.0.0.1:1883");
}

TEST_CASE("client: pings, and gives up a server that does not answer") {
  World world;
  world.connect(Version::v311, 10);
  world.heard();
  world.told();
  world.network.advance(5s);
  world.network.advance(5s);
  CHECK(world.heard() == "pingreq; pingreq");
  CHECK(world.told() == "");
  world.server.mute = true;
  world.network.advance(5s);
  world.network.advance(5s);
  CHECK(world.told() == "closed 3: the server does not answer PINGREQ");
}

TEST_CASE("client: the server goes, says why, or talks nonsense") {
  World world;
  world.connect();
  world.told();
  world.server.hang_up();
  CHECK(world.told() == "closed 3: the connection was lost");

  world.connect();
  world.told();
  mqtt::Disconnect taken;
  taken.reason = Reason::session_taken_over;
  world.server.machine().disconnect(taken, world.server.output());
  world.server.flush();
  std::string told = world.told();
  CHECK(told.starts_with("closed 2: the server ended the connection: "));

  world.connect();
  world.told();
  world.server.output().push_u16(0xC000);  // PINGREQ is not for servers to say
  world.server.flush();
  told = world.told();
  CHECK(told.starts_with("closed 4: the server broke the protocol: "));
  CHECK(world.client.in_flight() == 0);
}

}  // namespace
}  // namespace gnomon::client
