#include "broker/share.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "base/random.h"

namespace gnomon::broker {
namespace {

ShareMember clean(std::uint32_t index) { return {{}, 0, {0, index, 1}}; }
ShareMember session(const std::string& id) { return {id, 7, {}}; }
ConnectionRef connection(std::uint32_t index) { return {1, index, 1}; }

topic::Options with_qos(unsigned qos) {
  topic::Options options;
  options.qos = qos & 3U;
  return options;
}

Share::Member& online(Share& share, const ShareMember& id, std::uint32_t at, int window = 10,
                      unsigned qos = 2) {
  Share::Member& member = share.join(id, with_qos(qos));
  share.attend(member, connection(at), 1, window);
  return member;
}

void add(Share& share, std::uint8_t qos = 1, std::size_t size = 10) {
  Share::Waiting message;
  message.qos = qos;
  message.stored = share.stores();
  message.size = static_cast<std::uint32_t>(size);
  message.message.append(std::string(size, 'x'));
  share.add(std::move(message));
}

TEST_CASE("messages go to the members in turn, past those without room") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  online(share, clean(1), 1);
  online(share, clean(2), 2, 1);
  online(share, clean(3), 3);
  std::map<std::uint32_t, int> got;
  for (int i = 0; i < 9; ++i) {
    add(share);
    Share::Member* member = share.taker("t");
    REQUIRE(member != nullptr);
    share.lend(*member);
    ++got[member->connection.index];
  }
  CHECK(got[2] == 1);  // its window
  CHECK(got[1] == 4);
  CHECK(got[3] == 4);
  CHECK(share.count() == 9);
}

TEST_CASE("a full group waits until somebody has acknowledged") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  online(share, clean(1), 1, 1);
  add(share);
  add(share);
  share.lend(*share.taker("t"));
  CHECK(share.taker("t") == nullptr);
  CHECK(share.anybody("t") != nullptr);         // QoS 0 asks for no room
  CHECK_FALSE(share.finish(1, connection(2)));  // another one's acknowledgement
  CHECK_FALSE(share.finish(2, connection(1)));  // not given yet
  REQUIRE(share.finish(1, connection(1)));
  CHECK_FALSE(share.finish(1, connection(1)));  // once
  REQUIRE(share.taker("t") != nullptr);
  CHECK(share.front()->sequence == 2);
  CHECK(share.count() == 1);
}

TEST_CASE("bytes in flight to a member are bounded, but one message always goes") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  online(share, clean(1), 1, 100);
  add(share, 1, limits::share_flight_bytes + 1);
  add(share, 1, 1);
  REQUIRE(share.taker("t") != nullptr);
  share.lend(*share.taker("t"));
  CHECK(share.taker("t") == nullptr);
}

TEST_CASE("QoS 1 of a member that goes takes its old place; QoS 2 was the member's") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  Share::Member& a = online(share, clean(1), 1, 2);
  Share::Member& b = online(share, clean(2), 2, 2);
  for (int i = 0; i < 3; ++i) add(share);
  share.lend(a);
  share.lend(b);
  share.lend(a);
  add(share, 2);
  share.finish(2, connection(2));
  share.give(b);
  add(share);
  CHECK(share.count() == 3);
  CHECK(share.leave(a) == 2);
  CHECK(share.members() == 1);
  CHECK(share.front()->sequence == 1);
  CHECK(share.taker("t") == &b);
  share.lend(b);
  CHECK(share.front()->sequence == 3);
  CHECK(share.taker("t") == nullptr);
  CHECK(share.finish(4, connection(2))->message.empty());
  CHECK_FALSE(share.finish(1, connection(1)));  // too late, and no longer its
  CHECK(share.leave(b) == 1);
  CHECK(share.empty());
  CHECK(share.count() == 3);
}

TEST_CASE("a member that is connected anew has nothing of what it had before") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  Share::Member& a = online(share, session("a"), 1);
  add(share);
  share.lend(a);
  CHECK(share.attend(a, connection(1), 1, 10) == 0);  // the same connection
  CHECK(share.front() == nullptr);
  CHECK(share.attend(a, connection(2), 2, 10) == 1);
  CHECK(share.front()->sequence == 1);
  CHECK(share.attended());
  share.depart(a);
  CHECK_FALSE(share.attended());
  CHECK(share.depart(a) == 0);
}

TEST_CASE("what is kept: only for persistent sessions with QoS 1 or 2") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  CHECK_FALSE(share.keeps());
  Share::Member& a = online(share, session("a"), 1, 10, 0);
  online(share, clean(2), 2);
  CHECK_FALSE(share.keeps());
  share.join(session("a"), with_qos(1));
  CHECK(share.keeps());
  CHECK(share.stores());
  share.depart(a);
  CHECK(share.keeps());
  share.join(session("a"), with_qos(0));
  CHECK_FALSE(share.keeps());
  share.join(session("a"), with_qos(2));
  share.leave(a);
  CHECK_FALSE(share.keeps());
}

// May receive one topic.
class Only final : public Permissions {
 public:
  explicit Only(std::string topic) : topic_(std::move(topic)) {}
  [[nodiscard]] bool may_publish(std::string_view, bool) const override { return true; }
  [[nodiscard]] bool may_subscribe(std::string_view) const override { return true; }
  [[nodiscard]] bool may_receive(std::string_view topic) const override { return topic == topic_; }

 private:
  std::string topic_;
};

TEST_CASE("a member that may not receive a topic is passed over") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  Share::Member& a = online(share, clean(1), 1, 1);
  Share::Member& b = online(share, clean(2), 2, 1);
  b.permit(std::make_shared<Only>("t"));
  CHECK(share.anybody("u") == &a);
  CHECK(share.anybody("u") == &a);
  CHECK(!share.is_barred("u"));
  add(share);
  add(share);
  REQUIRE(share.taker("u") == &a);
  share.lend(a);
  CHECK(share.taker("u") == nullptr);  // a has no room, and yet it may
  CHECK(!share.is_barred("u"));
  a.permit(std::make_shared<Only>("t"));
  CHECK(share.is_barred("u"));
  CHECK(share.anybody("u") == nullptr);
  CHECK(share.taker("t") == &b);
  b.permit(nullptr);
  CHECK(share.taker("u") == &b);
}

TEST_CASE("what a member declines goes back to its place") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  Share::Member& a = online(share, clean(1), 1);
  Share::Member& b = online(share, clean(2), 2);
  add(share);
  add(share);
  add(share, 2);
  const std::uint64_t first = share.lend(a).sequence;
  const std::uint64_t second = share.lend(b).sequence;
  const std::uint64_t third = share.give(b).sequence;
  CHECK(!share.decline(first, b.connection));  // it is not b's
  CHECK(!share.decline(third, b.connection));  // it is b's own
  CHECK(share.decline(second, b.connection));
  CHECK(share.decline(first, a.connection));
  CHECK(!share.decline(first, a.connection));
  CHECK(a.flying == 0);
  CHECK(a.bytes == 0);
  CHECK(b.flying == 1);
  REQUIRE(share.front() != nullptr);
  CHECK(share.front()->sequence == first);
  CHECK(share.count() == 2);
  share.lend(a);
  CHECK(share.front()->sequence == second);
}

TEST_CASE("while nobody is here stored messages are in the store only, and come by pages") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  Share::Member& a = online(share, session("a"), 1, 1);
  for (int i = 0; i < 4; ++i) add(share);
  share.lend(a);
  CHECK(share.loaded() == 5);
  share.depart(a);
  CHECK(share.front() == nullptr);
  CHECK(share.loaded() == 1);
  CHECK(share.first() == 1);
  add(share);
  CHECK(share.loaded() == 1);
  CHECK(share.count() == 5);
  CHECK_FALSE(share.wants_page());
  share.attend(a, connection(2), 2, 1);
  CHECK(share.wants_page());
  add(share);  // behind what is in the store, so there only
  CHECK(share.front() == nullptr);
  for (std::uint64_t sequence = 1; sequence <= 6; ++sequence) {
    Share::Waiting message;
    message.sequence = sequence;
    message.stored = true;
    message.size = 10;
    message.message.append(std::string_view("xxxxxxxxxx"));
    share.push(std::move(message));
  }
  share.loaded_to(7);
  CHECK_FALSE(share.wants_page());
  CHECK(share.front()->sequence == 1);
  // The group's last session goes while messages are in the store: they stay in order.
  CHECK(share.count() == 6);
}

TEST_CASE("what was found in the store at the start") {
  ReadyBudget budget{UINT64_MAX};
  Share share{budget};
  share.found(5, 100);
  share.found(9, 50);
  CHECK(share.first() == 5);
  CHECK(share.loaded() == 5);
  CHECK(share.next() == 10);
  CHECK(share.count() == 2);
  CHECK(share.bytes() == 150);
  CHECK(share.stores());
}

// Random members and messages: each message is with nobody, or with one; the queue's order holds;
// what is counted adds up.
TEST_CASE("random groups against a plain list") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed);
    ReadyBudget budget{UINT64_MAX};
    Share share{budget};
    std::map<std::uint32_t, Share::Member*> here;  // by connection
    std::map<std::uint64_t, std::uint32_t> with;   // sequence → connection; 0: waits
    std::uint32_t connections = 0;
    for (int i = 0; i < 400; ++i) {
      const auto what = random.below(10);
      if (what < 3) {
        add(share);
        with[share.next() - 1] = 0;
      } else if (what == 3 && here.size() < 5) {
        const std::uint32_t at = ++connections;
        here[at] = &online(share, clean(at), at, static_cast<int>(1 + random.below(4)));
      } else if (what == 4 && !here.empty()) {
        auto gone = std::next(here.begin(), static_cast<int>(random.below(here.size())));
        std::size_t had = 0;
        for (auto& [sequence, at] : with) {
          if (at == gone->first) ++had, at = 0;
        }
        CHECK(share.leave(*gone->second) == had);
        here.erase(gone);
      } else if (what < 8) {
        Share::Member* member = share.taker("t");
        if (member == nullptr || share.front() == nullptr) continue;
        const auto oldest = std::find_if(with.begin(), with.end(),
                                         [](const auto& each) { return each.second == 0; });
        CHECK(share.lend(*member).sequence == oldest->first);
        oldest->second = member->connection.index;
        CHECK(member->flying <= member->window);
      } else if (!with.empty()) {
        auto one = std::next(with.begin(), static_cast<int>(random.below(with.size())));
        const bool had = share.finish(one->first, connection(one->second)).has_value();
        CHECK(had == (one->second != 0));
        if (had) with.erase(one);
      }
      REQUIRE(share.count() == with.size());
    }
  }
}

}  // namespace
}  // namespace gnomon::broker
