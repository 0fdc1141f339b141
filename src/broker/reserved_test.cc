// Topics under `$`: what clients may do with them, as testdata/reserved.test has it; and services
// behind them.
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "broker/broker_fixture.h"
#include "broker/reserved_topics.h"

namespace gnomon::broker::testing {
namespace {

using mqtt::Reason;
using mqtt::Version;

ReservedUse use_named(const std::string& name) {
  if (name == "publish") return ReservedUse::publish;
  if (name == "request") return ReservedUse::request;
  if (name == "subscribe") return ReservedUse::subscribe;
  REQUIRE(name == "none");
  return ReservedUse::none;
}

struct Row {
  ReservedUse use;
  std::string topic;
};
std::vector<Row> rows() {
  std::vector<Row> all;
  std::ifstream in("testdata/reserved.test");
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string use, topic;
    words >> use >> topic;
    all.push_back({use_named(use), topic});
  }
  REQUIRE(!all.empty());
  return all;
}

// Takes the topics that end in "/json" and all requests; answers when the test says so, with what
// it was asked.
class Service final : public ReservedTopics {
 public:
  [[nodiscard]] bool takes(std::string_view topic) const override {
    return topic.ends_with("/json") || reserved_use(topic) == ReservedUse::request;
  }
  void publish(const ReservedPublish& request, Later answer) override {
    principals.emplace_back(request.principal);
    pending.push_back([topic = std::string(request.topic), client = std::string(request.client_id),
                       text = std::string(as_text(request.payload)), answer = std::move(answer)] {
      answer({topic + "/accepted", client + ": " + text});
    });
  }
  void request(const ReservedPublish& request, Taken taken) override {
    requested.push_back(std::string(request.topic) + ' ' + std::string(as_text(request.payload)));
    if (taken) open.push_back(std::move(taken));
  }
  void take_all() {
    for (const auto& one : std::exchange(open, {})) one(Reason::success);
  }
  void answer_all() {
    for (const auto& one : std::exchange(pending, {})) one();
  }
  std::vector<std::string> principals;
  std::vector<std::function<void()>> pending;
  std::vector<Taken> open;
  std::vector<std::string> requested;
};

constexpr const char* create = "$aws/certificates/create/json";
constexpr const char* created = "$aws/certificates/create/json/accepted";

TEST_CASE("what clients may do with reserved topics") {
  for (const Row& row : rows()) {
    CAPTURE(row.topic);
    CHECK(reserved_use(row.topic) == row.use);
  }
}

TEST_CASE("a PUBLISH to a reserved topic goes to a service or is refused, in both profiles") {
  for (const bool aws : {false, true}) {
    for (const Row& row : rows()) {
      for (const Version version : {Version::v311, Version::v5}) {
        CAPTURE(aws);
        CAPTURE(row.topic);
        Service service;
        Profile profile = aws ? aws_profile() : Profile{};
        Broker broker(1, 1, profile, nullptr, &service);
        Client client(broker, "a", version);
        client.start();
        settle(broker, client);
        client.publish(row.topic, "x", 1);
        settle(broker, client);
        const bool requested = row.use == ReservedUse::request;
        const bool taken =
            requested || (row.use == ReservedUse::publish && row.topic.ends_with("/json"));
        CHECK(service.pending.size() == (taken && !requested ? 1 : 0));
        CHECK(service.requested.size() == (requested ? 1 : 0));
        service.take_all();
        settle(broker, client);
        const bool says_so = version == Version::v5 && !aws;
        CHECK(client.closed() == (!taken && !says_so));
        if (taken || says_so) {
          REQUIRE(client.pubacks.size() == 1);
          CHECK(client.pubacks[0] == (taken ? Reason::success : Reason::not_authorized));
        }
      }
    }
  }
}

TEST_CASE("an answer goes to who has asked, and to nobody else") {
  Service service;
  Broker broker(2, 1, {}, nullptr, &service);
  Client asks(broker, "asks"), listens(broker, "listens"), deaf(broker, "deaf");
  asks.start();
  listens.start();
  deaf.start();
  settle(broker, asks, listens, deaf);
  asks.subscribe(created, 1, 7);
  asks.subscribe("$aws/certificates/#", 0, 8);
  listens.subscribe("$aws/#", 1);
  settle(broker, asks, listens, deaf);
  asks.publish(create, "1", 1);
  deaf.publish(create, "2", 0);
  settle(broker, asks, listens, deaf);
  CHECK(asks.pubacks == std::vector<Reason>{Reason::success});
  CHECK(asks.got.empty());
  service.answer_all();
  settle(broker, asks, listens, deaf);
  REQUIRE(asks.got.size() == 1);
  CHECK(asks.got[0].topic == created);
  CHECK(asks.got[0].payload == "asks: 1");
  CHECK(asks.got[0].qos == 1);
  CHECK_FALSE(asks.got[0].retain);
  CHECK(asks.got[0].identifiers.size() == 2);
  CHECK(listens.got.empty());
  CHECK(deaf.got.empty());
  CHECK(service.principals == std::vector<std::string>{"somebody", "somebody"});
}

TEST_CASE("a request is a message like others, and acknowledged when the service has taken it") {
  constexpr const char* update = "$aws/things/lamp/shadow/update";
  for (const int shards : {1, 3}) {
    Service service;
    Broker broker(shards, 1, {}, nullptr, &service);
    Client asks(broker, "asks"), listens(broker, "listens");
    asks.start();
    listens.start();
    settle(broker, asks, listens);
    listens.subscribe("$aws/things/+/shadow/update", 1);
    settle(broker, asks, listens);
    asks.publish(update, "0", 0);
    asks.publish(update, "1", 1);
    asks.publish("plain", "2", 1);
    asks.publish(update, "3", 1);
    settle(broker, asks, listens);
    CHECK(service.requested == std::vector<std::string>{std::string(update) + " 0",
                                                        std::string(update) + " 1",
                                                        std::string(update) + " 3"});
    CHECK(listens.got.size() == 3);
    CHECK(asks.pubacks.empty());  // also of what came behind it: in order
    REQUIRE(service.open.size() == 2);
    std::exchange(service.open[1], nullptr)(Reason::success);
    settle(broker, asks, listens);
    CHECK(asks.pubacks.empty());
    std::exchange(service.open[0], nullptr)(Reason::success);
    settle(broker, asks, listens);
    CHECK(asks.pubacks.size() == 3);
  }
}

TEST_CASE("a request that the service has not taken is refused: by PUBACK, or by the end") {
  for (const Version version : {Version::v5, Version::v311}) {
    Service service;
    Broker broker(2, 1, {}, nullptr, &service);
    Client asks(broker, "asks", version);
    asks.start();
    settle(broker, asks);
    asks.publish("$aws/things/lamp/shadow/update", "1", 1);
    settle(broker, asks);
    REQUIRE(service.open.size() == 1);
    std::exchange(service.open, {})[0](Reason::quota_exceeded);
    settle(broker, asks);
    CHECK(asks.closed() == (version == Version::v311));
    CHECK(asks.pubacks ==
          (version == Version::v5 ? std::vector{Reason::quota_exceeded} : std::vector<Reason>()));
    CHECK(broker.total(Count::publish_refused_quota) == 1);
  }
}

TEST_CASE("what a call publishes to a topic for requests is a request, too") {
  constexpr const char* update = "$aws/things/lamp/shadow/update";
  for (const int shards : {1, 3}) {
    for (const Reason result : {Reason::success, Reason::quota_exceeded}) {
      Service service;
      Broker broker(shards, 1, {}, nullptr, &service);
      Client listens(broker, "listens");
      listens.start();
      settle(broker, listens);
      listens.subscribe("$aws/things/+/shadow/update", 1);
      settle(broker, listens);
      std::vector<Reason> told;
      const auto publish = [&](std::uint8_t qos) {
        broker.loops[0]->post([&, qos] {
          message::Message message;
          message.topic = update;
          message.payload = as_bytes(std::string_view("x"));
          message.qos = qos;
          broker.shards[0]->publish(message, [&](Reason reason) { told.push_back(reason); });
        });
        settle(broker, listens);
      };
      publish(1);
      CHECK(listens.got.size() == 1);
      CHECK(told.empty());
      REQUIRE(service.open.size() == 1);
      std::exchange(service.open, {})[0](result);
      settle(broker, listens);
      CHECK(told == std::vector{result});
      publish(0);
      CHECK(told.size() == 2);
      CHECK(listens.got.size() == 2);
      CHECK(service.open.empty());
      CHECK(service.requested.size() == 2);
    }
  }
}

TEST_CASE("what a service has taken for a connection that has ended is of no matter") {
  Service service;
  Broker broker(1, 1, {}, nullptr, &service);
  {
    Client asks(broker, "asks");
    asks.start();
    settle(broker, asks);
    asks.publish("$aws/things/lamp/shadow/get", "", 1);
    settle(broker, asks);
  }
  Client next(broker, "asks");
  next.start();
  settle(broker, next);
  REQUIRE(service.open.size() == 1);
  service.take_all();
  settle(broker, next);
  CHECK(next.pubacks.empty());
  CHECK(!next.closed());
}

TEST_CASE("an answer for a connection that has ended goes to nobody, also not to its successor") {
  Service service;
  Broker broker(1, 1, {}, nullptr, &service);
  Client first(broker, "a");
  first.start();
  settle(broker, first);
  first.publish(create, "1", 1);
  settle(broker, first);
  first.disconnect();
  settle(broker, first);
  Client second(broker, "a");
  second.start();
  second.subscribe(created);
  settle(broker, second);
  service.answer_all();
  settle(broker, second);
  CHECK(second.got.empty());
}

TEST_CASE("a persistent session is answered while its client is there") {
  Service service;
  Broker broker(1, 1, {}, nullptr, &service);
  Client client(broker, "a");
  client.connect.session_expiry_seconds = 100;
  client.start();
  broker.run();
  settle(broker, client);
  client.subscribe(created, 1);
  settle(broker, client);
  broker.run();
  settle(broker, client);
  REQUIRE(client.subacks.size() == 1);
  client.publish(create, "1", 1);
  settle(broker, client);
  service.answer_all();
  settle(broker, client);
  REQUIRE(client.got.size() == 1);
  CHECK(client.got[0].qos == 0);
}

// May do what the test says.
class Some final : public Permissions {
 public:
  Some(bool publish, bool receive) : publish_(publish), receive_(receive) {}
  [[nodiscard]] bool may_publish(std::string_view, bool) const override { return publish_; }
  [[nodiscard]] bool may_subscribe(std::string_view) const override { return true; }
  [[nodiscard]] bool may_receive(std::string_view) const override { return receive_; }

 private:
  const bool publish_, receive_;
};

TEST_CASE("who may not publish does not ask, and who may not receive is not told") {
  for (const bool publish : {false, true}) {
    Service service;
    Broker broker(1, 1, {}, nullptr, &service);
    broker.authenticator.decide = [&](const Credentials&, Authenticator::Later) -> Verdict {
      return Identity{"lamp", std::make_shared<Some>(publish, !publish)};
    };
    Client client(broker, "a");
    client.start();
    client.subscribe(created);
    settle(broker, client);
    client.publish(create, "1", 1);
    settle(broker, client);
    REQUIRE(client.pubacks.size() == 1);
    CHECK(client.pubacks[0] == (publish ? Reason::success : Reason::not_authorized));
    CHECK(service.pending.size() == (publish ? 1 : 0));
    service.answer_all();
    settle(broker, client);
    CHECK(client.got.empty());
    CHECK(broker.total(Count::dropped_policy) == (publish ? 1 : 0));
  }
}

TEST_CASE("a reserved topic takes neither QoS 2 nor RETAIN") {
  Service service;
  Broker broker(1, 1, {}, nullptr, &service);
  Client client(broker, "a", Version::v311);
  client.start();
  settle(broker, client);
  client.publish(create, "1", 2);
  settle(broker, client);
  CHECK(client.closed());
  CHECK(service.pending.empty());
  CHECK(broker.total(Count::publish_refused_reserved) == 1);
}

}  // namespace
}  // namespace gnomon::broker::testing
