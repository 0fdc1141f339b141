#include "topic/measure.h"

#include <initializer_list>

#include <doctest/doctest.h>

namespace gnomon::topic {
namespace {

TEST_CASE("the cost of subscriptions is measured for any number of shards") {
  for (const int shards : {1, 3, 64}) {
    const SubscriptionCost cost = measure_subscriptions(shards, 5000);
    CHECK(cost.index_bytes > 50);
    CHECK(cost.subscribe_ns > 0);
    CHECK(cost.unsubscribe_ns > 0);
    CHECK(cost.match_ns > 0);
  }
}

}  // namespace
}  // namespace gnomon::topic
