#include "broker/home.h"

#include <deque>
#include <map>
#include <optional>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::broker {
namespace {

ConnectionRef ref(ShardId shard, std::uint32_t index) { return {shard, index, 1}; }

template <class T>
const T* only(const std::vector<Addressed>& mail, ShardId to) {
  if (mail.size() != 1 || mail[0].to != to) return nullptr;
  return std::get_if<T>(&mail[0].mail);
}

Claim claim_of(const std::string& client_id, const ConnectionRef& connection) {
  Claim claim;
  claim.client_id = client_id;
  claim.connection = connection;
  return claim;
}

TEST_CASE("a free client id is granted at once, each time with a higher generation") {
  Home home;
  std::vector<Addressed> out;
  home.claim("lamp", ref(2, 7), out);
  const auto* first = only<Grant>(out, 2);
  REQUIRE(first != nullptr);
  CHECK(first->connection == ref(2, 7));
  const Generation generation = first->generation;
  out.clear();
  home.release("lamp", ref(2, 7), out);
  CHECK(out.empty());
  CHECK(home.size() == 0);
  home.claim("lamp", ref(0, 1), out);
  REQUIRE(only<Grant>(out, 0) != nullptr);
  CHECK(only<Grant>(out, 0)->generation > generation);
}

TEST_CASE("a holder is evicted first, and the claimant granted on its release") {
  Home home;
  std::vector<Addressed> out;
  home.claim("lamp", ref(0, 1), out);
  out.clear();
  home.claim("lamp", ref(1, 2), out);
  REQUIRE(only<Evict>(out, 0) != nullptr);
  out.clear();
  home.release("lamp", ref(0, 1), out);
  REQUIRE(only<Grant>(out, 1) != nullptr);
  CHECK(*home.holder("lamp") == ref(1, 2));
}

TEST_CASE("a newer claim makes the one that waits void") {
  Home home;
  std::vector<Addressed> out;
  home.claim("lamp", ref(0, 1), out);
  home.claim("lamp", ref(1, 2), out);
  out.clear();
  home.claim("lamp", ref(2, 3), out);
  REQUIRE(only<Deny>(out, 1) != nullptr);
  out.clear();
  home.release("lamp", ref(0, 1), out);
  CHECK(only<Grant>(out, 2) != nullptr);
}

TEST_CASE("a release of somebody who does not hold the id changes nothing") {
  Home home;
  std::vector<Addressed> out;
  home.claim("lamp", ref(0, 1), out);
  out.clear();
  home.release("lamp", ref(0, 2), out);
  home.release("other", ref(0, 1), out);
  CHECK(out.empty());
  CHECK(*home.holder("lamp") == ref(0, 1));
}

// Model: connections of several shards claim few ids; mail travels in per-shard order, but shards
// and home take it at random. At no time do two connections hold an id; every claim is answered
// once; the last claim of an id wins; when all have gone, home is empty.
TEST_CASE("model: one holder at most, every claim answered, in any order of mail") {
  struct Connection {
    std::string id;
    enum { claiming, established, gone_claiming, gone } state = claiming;
  };
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SeededRandom random(seed);
    constexpr int shards = 4;
    Home home;
    std::map<std::pair<int, std::uint32_t>, Connection> connections;
    std::deque<Mail> to_home[shards], to_shard[shards];
    std::map<std::string, Generation> highest;
    std::vector<Addressed> out;
    std::uint32_t next = 0;

    const auto established = [&](const std::string& id) {
      int count = 0;
      for (auto& [key, c] : connections) {
        count += c.id == id && c.state == Connection::established ? 1 : 0;
      }
      return count;
    };
    const auto end = [&](int shard, std::uint32_t index, Connection& c) {
      if (c.state == Connection::claiming) {
        c.state = Connection::gone_claiming;
      } else if (c.state == Connection::established) {
        c.state = Connection::gone;
        to_home[shard].push_back(Release{c.id, ref(static_cast<ShardId>(shard), index), false, {}});
      }
    };
    const auto step_shard = [&](int shard) {
      Mail mail = std::move(to_shard[shard].front());
      to_shard[shard].pop_front();
      if (auto* grant = std::get_if<Grant>(&mail)) {
        auto& c = connections.at({shard, grant->connection.index});
        CHECK(grant->generation > highest[c.id]);
        highest[c.id] = grant->generation;
        if (c.state == Connection::gone_claiming) {
          c.state = Connection::gone;
          to_home[shard].push_back(Release{c.id, grant->connection, false, {}});
        } else {
          REQUIRE(c.state == Connection::claiming);
          c.state = Connection::established;
          CHECK(established(c.id) == 1);
        }
      } else if (auto* deny = std::get_if<Deny>(&mail)) {
        auto& c = connections.at({shard, deny->connection.index});
        const bool waiting =
            c.state == Connection::claiming || c.state == Connection::gone_claiming;
        CHECK(waiting);
        c.state = Connection::gone;
      } else if (auto* evict = std::get_if<Evict>(&mail)) {
        end(shard, evict->connection.index, connections.at({shard, evict->connection.index}));
      }
    };
    const auto step_home = [&](int shard) {
      Mail mail = std::move(to_home[shard].front());
      to_home[shard].pop_front();
      out.clear();
      if (auto* claim = std::get_if<Claim>(&mail))
        home.claim(claim->client_id, claim->connection, out);
      if (auto* release = std::get_if<Release>(&mail)) {
        home.release(release->client_id, release->connection, out);
      }
      for (Addressed& addressed : out) to_shard[addressed.to].push_back(std::move(addressed.mail));
    };
    const auto step = [&] {
      std::vector<std::pair<bool, int>> ready;
      for (int s = 0; s < shards; ++s) {
        if (!to_home[s].empty()) ready.emplace_back(true, s);
        if (!to_shard[s].empty()) ready.emplace_back(false, s);
      }
      if (ready.empty()) return false;
      const auto [at_home, s] = ready[random.below(ready.size())];
      at_home ? step_home(s) : step_shard(s);
      return true;
    };

    for (int action = 0; action < 200; ++action) {
      const auto what = random.below(10);
      if (what < 3) {
        const int shard = static_cast<int>(random.below(shards));
        const std::string id(1, static_cast<char>('a' + random.below(3)));
        connections[{shard, next}] = {id, Connection::claiming};
        to_home[shard].push_back(claim_of(id, ref(static_cast<ShardId>(shard), next)));
        ++next;
      } else if (what < 5 && !connections.empty()) {
        auto it = connections.begin();
        std::advance(it, static_cast<long>(random.below(connections.size())));
        end(it->first.first, it->first.second, it->second);
      } else {
        step();
      }
    }
    while (step()) {
    }
    for (auto& [key, c] : connections) {
      const bool answered = c.state == Connection::established || c.state == Connection::gone;
      CHECK(answered);
      end(key.first, key.second, c);
    }
    while (step()) {
    }
    CHECK(home.size() == 0);
  }
}

}  // namespace
}  // namespace gnomon::broker
