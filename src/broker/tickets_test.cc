#include "broker/tickets.h"

#include <map>
#include <vector>

#include <doctest/doctest.h>

#include "base/random.h"

namespace gnomon::broker {
namespace {

TEST_CASE("a ticket closes when it is settled and all earlier ones are closed") {
  Tickets tickets;
  Tickets::Closed closed{};
  const auto first = tickets.open(1, 1, 2);
  const auto second = tickets.open(2, 1, 1);
  tickets.open(3, 1, 0);
  CHECK_FALSE(tickets.next(closed));
  tickets.settle(second);
  CHECK_FALSE(tickets.next(closed));
  tickets.settle(first);
  CHECK_FALSE(tickets.next(closed));
  tickets.settle(first);
  for (std::uint16_t id = 1; id <= 3; ++id) {
    REQUIRE(tickets.next(closed));
    CHECK(closed.packet_id == id);
  }
  CHECK(tickets.empty());
}

TEST_CASE("the first failure of a ticket is the one reported") {
  Tickets tickets;
  const auto ticket = tickets.open(9, 1, 3);
  tickets.settle(ticket);
  tickets.settle(ticket, mqtt::Reason::quota_exceeded);
  tickets.settle(ticket, mqtt::Reason::not_authorized);
  Tickets::Closed closed{};
  REQUIRE(tickets.next(closed));
  CHECK(closed.reason == mqtt::Reason::quota_exceeded);
}

TEST_CASE("model: tickets close in order, never before their obligations") {
  SeededRandom random(7);
  Tickets tickets;
  std::map<Tickets::Number, int> open;
  std::uint16_t opened = 0, closed_count = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (random.below(3) == 0 && open.size() < 100) {
      const int obligations = static_cast<int>(random.below(4));
      open[tickets.open(++opened, 1, obligations)] = obligations;
    } else if (!open.empty()) {
      auto it = open.begin();
      std::advance(it, static_cast<long>(random.below(open.size())));
      if (it->second > 0) {
        --it->second;
        tickets.settle(it->first);
      }
    }
    Tickets::Closed closed{};
    while (tickets.next(closed)) {
      CHECK(closed.packet_id == ++closed_count);
      REQUIRE(open.begin()->second == 0);
      open.erase(open.begin());
    }
    if (!open.empty()) CHECK(open.begin()->second > 0);
  }
}

}  // namespace
}  // namespace gnomon::broker
