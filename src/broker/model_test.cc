// Model test of interest, claims and delivery over shards: clients connect, subscribe, publish,
// take ids over and vanish at random, while the simulation runs shards and takes mail in random
// order. What a subscriber must get: everything published after its SUBACK and before it began to
// unsubscribe or end, once, in each publisher's order; nothing twice; nothing it never asked for.
#include <charconv>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "broker/broker_fixture.h"
#include "topic/topic.h"

namespace gnomon::broker {
namespace {

using testing::Broker;
using testing::Client;

const std::vector<std::string> filters{"a/b", "a/+", "a/#", "#", "b", "+/b", "c/d/e", "c/#"};
const std::vector<std::string> topics{"a/b", "a/c", "b", "c/d/e", "c", "x"};

struct Subscription {
  bool sure = false;   // SUBACK seen, and no UNSUBSCRIBE sent
  bool maybe = false;  // asked for at some time and not yet confirmed to be gone
};

struct Modelled {
  std::unique_ptr<Client> client;
  std::string id;
  std::map<std::string, Subscription> subscriptions;
  std::vector<std::string> asked;  // SUBSCRIBEs in order, for matching SUBACKs
  std::size_t subacked = 0;
  std::vector<std::string> dropped;  // UNSUBSCRIBEs in order
  std::size_t unsubacked = 0;
  std::set<std::string> due;        // payloads it must get
  std::set<std::string> allowed;    // payloads it may get
  std::map<std::string, int> last;  // by publisher: the last number seen
  std::size_t seen = 0;
  bool ended = false;  // or about to be: nothing is owed to it
  bool left = false;   // by itself
};

class World {
 public:
  World(std::uint64_t seed, int shards) : random_(seed), broker_(shards, seed) {}

  void run() {
    for (int i = 0; i < 400; ++i) act();
    quiesce();
    for (Modelled& m : clients_) {
      if (!m.ended) CHECK_MESSAGE(m.due.empty(), "missed ", *m.due.begin(), " by ", m.id);
    }
    std::map<std::string, int> holders;
    for (Modelled& m : clients_) {
      if (!m.left && m.client->connack && !m.client->closed()) ++holders[m.id];
    }
    for (auto& [id, count] : holders) CHECK_MESSAGE(count == 1, id, " held by ", count);
    std::uint64_t held = holders.size();
    CHECK(broker_.total(Count::connections) == held);
  }

 private:
  void act() {
    // Looked at often: what an acknowledgement promises is tested from the moment it is there.
    for (Modelled& m : clients_) {
      if (random_.below(2) == 0) poll(m);
    }
    const auto what = random_.below(100);
    if (clients_.size() < 4 || what < 4) return connect();
    Modelled& m = clients_[random_.below(clients_.size())];
    if (m.ended || m.left || !m.client->connack) return step();
    if (what < 14) return subscribe(m);
    if (what < 20) return unsubscribe(m);
    if (what < 24) return end(m);
    if (what < 55) return publish(m);
    step();
  }

  void connect() {
    Modelled& m = clients_.emplace_back();
    // Few ids, so that take-overs happen.
    m.id = "id" + std::to_string(random_.below(6));
    bool disputed = false;
    for (Modelled& other : clients_) {
      if (&other == &m || other.id != m.id) continue;
      // Whoever holds the id now may be evicted from here on: nothing is owed to it any more. One
      // whose CONNECT is still on its way may in turn evict the new one.
      excuse(other);
      disputed = disputed || (!other.client->connack && !other.client->closed());
    }
    broker_.next_shard = random_.below(broker_.shards.size());
    m.client = std::make_unique<Client>(broker_, m.id);
    m.client->start();
    if (disputed) excuse(m);
  }
  // From here on nothing is owed to it, nor to others of what it has sent.
  void excuse(Modelled& m) {
    m.due.clear();
    for (auto& [filter, s] : m.subscriptions) s.sure = false;
    m.ended = true;
    const std::string mine = std::to_string(&m - clients_.data()) + ":";
    for (Modelled& other : clients_) {
      std::erase_if(other.due, [&](const std::string& p) { return p.starts_with(mine); });
    }
  }
  void subscribe(Modelled& m) {
    const std::string& filter = filters[random_.below(filters.size())];
    if (m.subscriptions[filter].maybe) return;
    m.subscriptions[filter].maybe = true;
    m.asked.push_back(filter);
    m.client->subscribe(filter, random_.below(2) == 0 ? 0 : 1);
  }
  void unsubscribe(Modelled& m) {
    for (auto& [filter, s] : m.subscriptions) {
      if (!s.sure) continue;
      s.sure = false;
      // What is on its way may or may not arrive.
      m.due.clear();
      m.dropped.push_back(filter);
      return m.client->unsubscribe(filter);
    }
  }
  void end(Modelled& m) {
    if (random_.below(2) == 0) {
      m.client->disconnect();
    } else {
      m.client->drop();
    }
    m.left = true;
    excuse(m);
  }
  void publish(Modelled& m) {
    const std::string& topic = topics[random_.below(topics.size())];
    // The name of a publisher is its place: ids are shared.
    const std::string payload = std::to_string(&m - clients_.data()) + ":" +
                                std::to_string(++numbers_[&m - clients_.data()]);
    for (Modelled& receiver : clients_) {
      if (receiver.client == nullptr) continue;
      for (auto& [filter, s] : receiver.subscriptions) {
        if (!topic::matches(filter, topic)) continue;
        if (s.maybe) receiver.allowed.insert(payload);
        if (s.sure && !receiver.ended) receiver.due.insert(payload);
      }
    }
    m.client->publish(topic, payload, static_cast<std::uint8_t>(random_.below(2)));
  }

  void step() {
    for (std::uint64_t i = random_.below(4); i > 0; --i) broker_.network.step();
    poll(clients_[random_.below(clients_.size())]);
  }
  void quiesce() {
    for (int i = 0; i < 20; ++i) {  // each round answers what the one before brought
      broker_.network.run();
      for (Modelled& m : clients_) poll(m);
    }
  }

  void poll(Modelled& m) {
    m.client->poll();
    for (; m.subacked < m.client->subacks.size(); ++m.subacked) {
      if (!m.ended) m.subscriptions[m.asked[m.subacked]].sure = true;
    }
    for (; m.unsubacked < m.client->unsubacks.size(); ++m.unsubacked) {
      // Mail of other shards may still bring messages for a while, but not to this session.
      m.subscriptions[m.dropped[m.unsubacked]].maybe = false;
    }
    for (; m.seen < m.client->got.size(); ++m.seen) {
      const testing::Got& got = m.client->got[m.seen];
      const auto colon = got.payload.find(':');
      const std::string publisher = got.payload.substr(0, colon);
      int number = 0;
      std::from_chars(got.payload.data() + colon + 1, got.payload.data() + got.payload.size(),
                      number);
      const bool later = number > m.last[publisher];
      CHECK_MESSAGE(later, m.id, " got ", got.payload, " after ", m.last[publisher]);
      m.last[publisher] = number;
      bool wanted = m.allowed.count(got.payload) > 0;
      for (auto& [filter, s] : m.subscriptions) {
        wanted = wanted || (s.maybe && topic::matches(filter, got.topic));
      }
      CHECK_MESSAGE(wanted, m.id, " got ", got.payload, " without a subscription");
      m.due.erase(got.payload);
    }
  }

  SeededRandom random_;
  Broker broker_;
  std::vector<Modelled> clients_;
  std::map<std::ptrdiff_t, int> numbers_;
};

TEST_CASE("model: subscribers get what they asked for, in any order of mail") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    for (const int shards : {1, 2, 4}) {
      CAPTURE(seed);
      CAPTURE(shards);
      World(seed, shards).run();
    }
  }
}

}  // namespace
}  // namespace gnomon::broker
