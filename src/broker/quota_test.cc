// What the profile limits for the whole server: numbers that shards share, not rates.
#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker {
namespace {

using mqtt::Reason;
using mqtt::Version;
using testing::Broker;
using testing::Client;
using testing::settle;

TEST_CASE("as many topics retain as the profile says, over restarts too") {
  Profile profile;
  profile.retained_messages_max = 2;
  Broker broker(1, 1, profile, std::make_unique<store::LossyStore>());
  SeededRandom random(1);
  const auto retain = [&](const std::string& topic, const std::string& payload) {
    Client client(broker, "publisher");
    client.start();
    broker.run();
    client.poll();
    client.retain = true;
    client.publish(topic, payload, 1);
    broker.run();
    client.poll();
    client.drop();
    broker.run();
    REQUIRE(client.pubacks.size() == 1);
    return client.pubacks[0];
  };
  CHECK(retain("a", "1") == Reason::success);
  CHECK(retain("b", "1") == Reason::success);
  CHECK(retain("c", "1") == Reason::quota_exceeded);
  CHECK(broker.total(Count::queue_refused_full) == 1);
  CHECK(retain("a", "2") == Reason::success);  // replaced
  CHECK(retain("c", "") == Reason::success);   // nothing is there, and nothing comes
  broker.crash(random);
  CHECK(retain("c", "1") == Reason::quota_exceeded);
  CHECK(retain("b", "") == Reason::success);
  CHECK(retain("c", "1") == Reason::success);
  CHECK(retain("b", "1") == Reason::quota_exceeded);
}

TEST_CASE("as many clients connect as the profile says, shared evenly by the shards") {
  Profile profile;
  profile.connections_max = 4;
  Broker broker(2, 1, profile);
  std::vector<std::unique_ptr<Client>> clients;
  const auto connect = [&](Version version, const std::string& id) {
    Client& client = *clients.emplace_back(std::make_unique<Client>(broker, id, version));
    client.start();
    broker.run();
    client.poll();
    return client.connack;
  };
  for (const char* id : {"a", "b", "c", "d"}) CHECK(connect(Version::v5, id) == Reason::success);
  CHECK(connect(Version::v5, "e") == Reason::quota_exceeded);
  CHECK(connect(Version::v311, "e") == Reason::server_unavailable);  // its code 3
  CHECK(connect(Version::v5, "a") == Reason::quota_exceeded);  // it would be one more, for now
  CHECK(broker.total(Count::connect_refused_limit) == 3);
  clients[0]->disconnect();
  clients[1]->drop();
  broker.run();
  CHECK(connect(Version::v5, "e") == Reason::success);
  CHECK(connect(Version::v5, "f") == Reason::success);
  CHECK(connect(Version::v5, "g") == Reason::quota_exceeded);
  CHECK(connect(Version::v5, "h") == Reason::quota_exceeded);
}

// Each way out of a CONNECT gives the place back.
TEST_CASE("who is refused, or goes before it is decided, takes no place") {
  Profile profile;
  profile.connections_max = 1;
  Broker broker(1, 1, profile);
  Authenticator::Later later;
  broker.authenticator.decide = [&](const Credentials& credentials,
                                    Authenticator::Later when) -> std::optional<Verdict> {
    if (credentials.client_id == "refused") {
      return Refusal{Reason::not_authorized, "not this one", false};
    }
    if (credentials.client_id != "late") return Identity{"somebody", nullptr};
    later = std::move(when);
    return std::nullopt;
  };
  for (const char* id : {"refused", "late"}) {
    Client client(broker, id), second(broker, "second");
    client.start();
    broker.run();
    if (later) {
      second.start();
      broker.run();
      second.poll();
      CHECK(second.connack == Reason::quota_exceeded);
      client.drop();
      broker.run();
      later(Identity{"somebody", nullptr});
      broker.run();
    }
    Client next(broker, "next");
    next.start();
    settle(broker, next);
    CHECK(next.connack == Reason::success);
    next.disconnect();
    broker.run();
  }
}

}  // namespace
}  // namespace gnomon::broker
