// What is retained reaches every new subscription, whoever else is subscribed, and once.
#include <doctest/doctest.h>

#include "broker/broker_fixture.h"

namespace gnomon::broker::testing {
namespace {

// Publishers on another shard than subscribers: of what one shard publishes another one hears only
// what it wants, so silence tells it nothing of how far that shard has come.
struct World {
  explicit World(std::uint64_t seed) : broker(3, seed) {}
  std::unique_ptr<Client> client(const std::string& id, std::size_t shard, bool persistent) {
    broker.next_shard = shard;
    auto made = std::make_unique<Client>(broker, id);
    made->connect.clean_start = !persistent;
    if (persistent) made->connect.session_expiry_seconds = 3600;
    made->start();
    settle(*made);
    return made;
  }
  template <class... C>
  void settle(C&... clients) {
    do testing::settle(broker, clients...);
    while (broker.sync());
  }
  void retain(const std::string& topic, const std::string& payload, std::uint8_t qos) {
    if (!publisher) publisher = client("publisher", 1, false);
    publisher->retain = true;
    publisher->publish(topic, payload, qos);
    settle(*publisher);
  }

  Broker broker;
  std::unique_ptr<Client> publisher;
};

std::vector<std::string> take(Client& client) {
  std::vector<std::string> payloads;
  for (const Got& got : std::exchange(client.got, {})) payloads.push_back(got.payload);
  return payloads;
}
using Payloads = std::vector<std::string>;

TEST_CASE("of a filter that somebody else here has, and that it has itself") {
  for (const bool persistent : {false, true}) {
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
      for (const bool wildcard : {false, true}) {
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
          CAPTURE(persistent);
          CAPTURE(int{qos});
          CAPTURE(wildcard);
          CAPTURE(seed);
          World world(seed);
          const std::string topic = "config-" + std::to_string(seed);  // its slot is anybody's
          const std::string filter = wildcard ? "+" : topic;
          auto first = world.client("first", 0, persistent);
          auto second = world.client("second" + std::to_string(seed), 0, persistent);
          world.retain(topic, "1", qos);
          first->subscribe(filter, qos);
          world.settle(*first, *second);
          CHECK(take(*first) == Payloads{"1"});
          second->subscribe(filter, qos);
          world.settle(*first, *second);
          CHECK(take(*second) == Payloads{"1"});
          first->subscribe(filter, qos);
          world.settle(*first, *second);
          CHECK(take(*first) == Payloads{"1"});
          world.retain(topic, "2", qos);
          world.settle(*first, *second);
          CHECK(take(*first) == Payloads{"2"});
          CHECK(take(*second) == Payloads{"2"});
          first->subscribe(filter, qos);
          world.settle(*first, *second);
          CHECK(take(*first) == Payloads{"2"});
        }
      }
    }
  }
}

TEST_CASE("of a filter that several ask for at once") {
  for (const bool persistent : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      CAPTURE(persistent);
      CAPTURE(seed);
      World world(seed);
      std::vector<std::unique_ptr<Client>> clients;
      for (std::size_t n = 0; n < 4; ++n)
        clients.push_back(
            world.client(std::to_string(n) + "-" + std::to_string(seed), n % 2 * 2, persistent));
      world.retain("config", "1", 1);
      for (auto& client : clients) client->subscribe("config", 1);
      world.settle(*clients[0], *clients[1], *clients[2], *clients[3]);
      for (auto& client : clients) CHECK(take(*client) == Payloads{"1"});
    }
  }
}

TEST_CASE("what is published meanwhile: the new value, and never an older one behind it") {
  for (const bool persistent : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
      CAPTURE(persistent);
      CAPTURE(seed);
      World world(seed);
      auto first = world.client("first" + std::to_string(seed), 0, persistent);
      auto second = world.client("second" + std::to_string(seed), 0, persistent);
      world.retain("config", "1", 1);
      world.publisher->publish("config", "2", 1);
      first->subscribe("config", 1);
      second->subscribe("config", 1);
      second->subscribe("config", 1);
      world.publisher->publish("config", "3", 1);
      world.settle(*first, *second, *world.publisher);
      for (Client* client : {first.get(), second.get()}) {
        const Payloads got = take(*client);
        REQUIRE(!got.empty());
        CHECK(got.back() == "3");
        CHECK(std::ranges::is_sorted(got));
      }
    }
  }
}

}  // namespace
}  // namespace gnomon::broker::testing
