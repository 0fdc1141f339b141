// Who may connect, and what they may do: what the broker makes of an authenticator's verdicts.
#include "broker/authenticator.h"

#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using testing::Broker;
using testing::Client;
using testing::settle;

// May do what is listed.
class Listed final : public Permissions {
 public:
  std::vector<std::string> publish, retain, subscribe, receive;

  [[nodiscard]] bool may_publish(std::string_view topic, bool retained) const override {
    return has(retained ? retain : publish, topic);
  }
  [[nodiscard]] bool may_subscribe(std::string_view filter) const override {
    return has(subscribe, filter);
  }
  [[nodiscard]] bool may_receive(std::string_view topic) const override {
    return has(receive, topic);
  }

 private:
  static bool has(const std::vector<std::string>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  }
};

TEST_CASE("an authenticator sees what the CONNECT says, and its refusal is told and counted") {
  Broker broker(2);
  std::string seen;
  broker.authenticator.decide = [&](const Credentials& given, const Authenticator::Later&) {
    seen = std::string(given.client_id) + ' ' + std::string(given.username.value_or("-")) + ' ' +
           std::string(as_text(given.password.value_or(ByteView{})));
    CHECK(given.peer.is_loopback());
    CHECK(given.security == nullptr);
    return Verdict{Refusal{Reason::bad_user_name_or_password, "no such user"}};
  };
  Client client(broker, "c");
  client.connect.username = "u";
  client.connect.password = as_bytes(std::string_view("p"));
  client.start();
  settle(broker, client);
  CHECK(seen == "c u p");
  CHECK(client.connack == Reason::bad_user_name_or_password);
  CHECK(client.closed());
  CHECK(broker.total(Count::connect_refused_identity) == 1);
  CHECK(broker.total(Count::connects) == 0);
}

TEST_CASE("a verdict that comes later: packets behind the CONNECT wait for it") {
  Broker broker(2);
  std::vector<Authenticator::Later> later;
  broker.authenticator.decide = [&](const Credentials&, Authenticator::Later call) {
    later.push_back(std::move(call));
    return std::nullopt;
  };
  Client client(broker, "c");
  client.start();
  client.subscribe("t", 1);
  client.publish("t", "hello", 1);
  settle(broker, client);
  CHECK(!client.connack);
  REQUIRE(later.size() == 1);
  later[0](Identity{"u", nullptr});
  settle(broker, client);
  CHECK(client.connack == Reason::success);
  REQUIRE(client.got.size() == 1);
  CHECK(client.got[0].payload == "hello");

  SUBCASE("a refusal") {
    Client other(broker, "d");
    other.start();
    settle(broker, other);
    REQUIRE(later.size() == 2);
    later[1](Refusal{Reason::server_busy, "later"});
    settle(broker, other);
    CHECK(other.connack == Reason::server_busy);
    CHECK(other.closed());
    CHECK(broker.total(Count::connect_refused_overload) == 1);
    CHECK(broker.total(Count::connect_refused_identity) == 0);
  }
  SUBCASE("the client is gone by then, and its place is another's") {
    {
      Client other(broker, "d");
      other.start();
      settle(broker, other);
      other.drop();
      broker.network.run();
    }
    Client third(broker, "e");
    third.start();
    settle(broker, third);
    REQUIRE(later.size() == 3);
    later[1](Refusal{Reason::not_authorized, "not you"});
    settle(broker, third);
    CHECK(!third.connack);
    later[2](Identity{"u", nullptr});
    settle(broker, third);
    CHECK(third.connack == Reason::success);
  }
  SUBCASE("a client that waits too long is closed") {
    Client other(broker, "d");
    other.start();
    settle(broker, other);
    broker.network.advance(limits::connect_timeout + std::chrono::seconds(1));
    settle(broker, other);
    CHECK(other.closed());
    CHECK(broker.total(Count::connect_timeouts) == 1);
    later[1](Identity{"u", nullptr});
    broker.run();
    Client again(broker, "d");
    again.start();
    settle(broker, again);
    later[2](Identity{"u", nullptr});
    settle(broker, again);
    CHECK(again.connack == Reason::success);
  }
}

// One client, "limited", may do what `permissions` says; the others everything.
void limit(Broker& broker, std::shared_ptr<const Permissions> permissions) {
  broker.authenticator.decide = [permissions](const Credentials& given,
                                              const Authenticator::Later&) {
    return Verdict{Identity{"p", given.client_id == "limited" ? permissions : nullptr}};
  };
}

TEST_CASE("what an identity may not publish or subscribe to is refused") {
  Broker broker(2);
  auto permissions = std::make_shared<Listed>();
  permissions->publish = {"a"};
  permissions->subscribe = {"a", "$share/g/a"};  // a group's filter is one of its own
  permissions->receive = {"a"};
  limit(broker, permissions);
  for (const bool kept : {false, true}) {
    CAPTURE(kept);
    Client limited(broker, "limited");
    limited.connect.session_expiry_seconds = kept ? 60 : 0;
    limited.start();
    settle(broker, limited);
    for (const std::string filter : {"a", "#", "$share/g/a", "$share/g/#"}) {
      limited.subscribe(filter);
      settle(broker, limited);
      broker.run();
      settle(broker, limited);
    }
    CHECK(limited.subacks == std::vector{Reason::success, Reason::not_authorized, Reason::success,
                                         Reason::not_authorized});
    for (const std::string topic : {"a", "b", "a"}) {
      limited.publish(topic, "x", 1);
      settle(broker, limited);
    }
    CHECK(limited.pubacks == std::vector{Reason::success, Reason::not_authorized, Reason::success});
    limited.publish("b", "4", 0);
    settle(broker, limited);
    CHECK(limited.disconnected == Reason::not_authorized);
  }
  CHECK(broker.total(Count::publish_refused_policy) == 4);
  CHECK(broker.total(Count::subscribe_refused_policy) == 4);
}

TEST_CASE("a will that may not be published is refused with its CONNECT") {
  Broker broker(1);
  auto permissions = std::make_shared<Listed>();
  permissions->publish = {"a"};
  permissions->retain = {"b"};
  limit(broker, permissions);
  const auto connack = [&](const std::string& topic, bool retain) {
    Client limited(broker, "limited");
    limited.connect.will = mqtt::Will{};
    limited.connect.will->topic = topic;
    limited.connect.will->retain = retain;
    limited.start();
    settle(broker, limited);
    const auto reason = limited.connack;
    limited.disconnect();
    settle(broker, limited);
    return reason;
  };
  CHECK(connack("a", false) == Reason::success);
  CHECK(connack("b", true) == Reason::success);
  CHECK(connack("a", true) == Reason::not_authorized);
  CHECK(connack("b", false) == Reason::not_authorized);
  CHECK(broker.total(Count::connect_refused_policy) == 2);
}

TEST_CASE("what an identity may not receive is dropped, on every path, and counted") {
  auto permissions = std::make_shared<Listed>();
  permissions->subscribe = {"#", "$share/g/#"};
  permissions->receive = {"open"};
  for (const bool kept : {false, true}) {
    for (const std::string filter : {"#", "$share/g/#"}) {
      CAPTURE(kept);
      CAPTURE(filter);
      Broker broker(2);
      limit(broker, permissions);
      Client publisher(broker, "p"), limited(broker, "limited");
      publisher.start();
      limited.connect.session_expiry_seconds = kept ? 60 : 0;
      limited.start();
      settle(broker, publisher, limited);
      limited.subscribe(filter, 1);
      settle(broker, publisher, limited);
      for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
        publisher.publish("secret", "s", qos);
        publisher.publish("open", "o", qos);
      }
      settle(broker, publisher, limited);
      broker.run();
      settle(broker, publisher, limited);
      CHECK(publisher.pubacks.size() == 2);
      CHECK(limited.got.size() == 2);
      for (const auto& got : limited.got) CHECK(got.topic == "open");
      CHECK(broker.total(Count::dropped_policy) == 2);
      CHECK(broker.total(Count::queued) == 0);
    }
  }
}

TEST_CASE("a share group gives to those who may receive, whoever else is a member") {
  auto permissions = std::make_shared<Listed>();
  permissions->subscribe = {"$share/g/#"};
  permissions->receive = {"open"};
  for (const bool kept : {false, true}) {
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
      CAPTURE(kept);
      CAPTURE(qos);
      Broker broker(2);
      limit(broker, permissions);
      Client publisher(broker, "p"), limited(broker, "limited"), other(broker, "other");
      for (Client* member : {&limited, &other})
        member->connect.session_expiry_seconds = kept ? 60 : 0;
      for (Client* client : {&publisher, &limited, &other}) client->start();
      settle(broker, publisher, limited, other);
      for (Client* member : {&limited, &other}) member->subscribe("$share/g/#", 2);
      settle(broker, publisher, limited, other);
      for (int i = 0; i < 6; ++i) publisher.publish("secret", "s", qos);
      for (int i = 0; i < 8; ++i) {  // the last acknowledgements, too
        settle(broker, publisher, limited, other);
        broker.run();
      }
      CHECK(limited.got.empty());
      CHECK(other.got.size() == 6);
      CHECK(broker.total(Count::dropped_policy) == 0);
      if (qos < 2) CHECK(broker.total(Count::queued) == 0);  // clients here do not send PUBREC
    }
  }
}

TEST_CASE("a session that is resumed is asked for its subscriptions again") {
  Broker broker(2);
  auto permissions = std::make_shared<Listed>();
  permissions->subscribe = {"a", "$share/g/a"};
  permissions->receive = {"a", "b"};
  Client publisher(broker, "p"), first(broker, "limited");
  first.connect.session_expiry_seconds = 60;
  for (Client* client : {&publisher, &first}) client->start();
  settle(broker, publisher, first);
  for (const char* filter : {"a", "b", "$share/g/a", "$share/h/b"}) {
    first.subscribe(filter, 1);
    settle(broker, publisher, first);
    broker.run();
    settle(broker, publisher, first);
  }
  CHECK(first.subacks == std::vector(4, Reason{1}));
  first.disconnect();
  settle(broker, publisher, first);

  limit(broker, permissions);
  Client second(broker, "limited");
  second.connect.clean_start = false;
  second.connect.session_expiry_seconds = 60;
  second.start();
  settle(broker, publisher, second);
  CHECK(second.connack == Reason::success);
  CHECK(broker.total(Count::subscribe_refused_policy) == 2);
  publisher.publish("a", "1", 1);
  publisher.publish("b", "2", 1);
  for (int i = 0; i < 8; ++i) {
    settle(broker, publisher, second);
    broker.run();
  }
  CHECK(second.got.size() == 2);  // as itself and as a member of g
  for (const auto& got : second.got) CHECK(got.topic == "a");
  CHECK(broker.total(Count::queued) == 0);
}

// Allows everything until somebody says otherwise.
class Until final : public Permissions {
 public:
  bool over = false;
  [[nodiscard]] bool may_publish(std::string_view, bool) const override { return !over; }
  [[nodiscard]] bool may_subscribe(std::string_view) const override { return !over; }
  [[nodiscard]] bool may_receive(std::string_view) const override { return !over; }
  [[nodiscard]] bool changes_with_time() const override { return true; }
};

TEST_CASE("permissions that change with time are asked for each message, on one topic too") {
  Broker broker(1);
  const auto until = std::make_shared<Until>();
  broker.authenticator.decide = [&](const Credentials&, auto) { return Identity{"u", until}; };
  Client client(broker, "c");
  client.start();
  settle(broker, client);
  const auto refused = [&] { return broker.total(Count::publish_refused_policy); };
  for (int i = 0; i < 3; ++i) client.publish("t", "in time", 1);
  settle(broker, client);
  CHECK(refused() == 0);
  until->over = true;
  client.publish("t", "late", 1);
  settle(broker, client);
  CHECK(refused() == 1);
  until->over = false;
  client.publish("t", "in time again", 1);
  settle(broker, client);
  CHECK(refused() == 1);
  CHECK(client.pubacks.size() == 5);
}

TEST_CASE("permissions that change with time are asked for each message that is received") {
  Broker broker(1);
  const auto until = std::make_shared<Until>();
  broker.authenticator.decide = [&](const Credentials& given, auto) {
    return given.client_id == "lamp" ? Identity{"lamp", until} : Identity{"source", nullptr};
  };
  Client source(broker, "source"), lamp(broker, "lamp");
  source.start();
  lamp.start();
  settle(broker, source, lamp);
  lamp.subscribe("t");
  settle(broker, source, lamp);
  for (const bool over : {false, true, false}) {
    until->over = over;
    source.publish("t", "x");
    settle(broker, source, lamp);
  }
  CHECK(lamp.got.size() == 2);
  CHECK(broker.total(Count::dropped_policy) == 1);
}

}  // namespace
}  // namespace gnomon::broker
