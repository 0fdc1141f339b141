#include "broker/rate.h"

#include <doctest/doctest.h>

#include "broker/shard_rates.h"

namespace gnomon::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("as many at once as in a second, then one by one") {
  Rate rate;
  Instant now{};
  now = now + seconds(100);
  int taken = 0;
  while (rate.take(now, 10)) ++taken;
  CHECK(taken == 10);
  now = now + milliseconds(99);
  CHECK_FALSE(rate.take(now, 10));
  now = now + milliseconds(1);
  CHECK(rate.take(now, 10));
  CHECK_FALSE(rate.take(now, 10));
  now = now + seconds(60);  // a quiet minute is worth no more than a second
  taken = 0;
  while (rate.take(now, 10)) ++taken;
  CHECK(taken == 10);
}

TEST_CASE("what is taken in any case is owed") {
  Rate rate;
  const Instant now = Instant{} + seconds(100);
  CHECK(rate.owe(now, 1000, 1000) == Duration::zero());
  CHECK(rate.owe(now, 1000, 500) == milliseconds(500));
  CHECK(rate.owe(now + milliseconds(500), 1000, 0) == Duration::zero());
}

TEST_CASE("each shard has its share of the server's rates") {
  const Rates rates{.retained_per_topic = 1, .connects = 10, .publishes = 40, .retained = 20};
  ShardRates shard(rates, 4);
  const Instant now = Instant{} + seconds(100);
  int taken = 0;
  while (shard.may_connect(now)) ++taken;
  CHECK(taken == 2);
  CHECK(shard.may_subscribe(now));  // 0: as often as one likes
  for (const char* topic : {"a", "b", "c", "d", "e"}) {
    CHECK(shard.may_publish(now, topic, true));
    CHECK_FALSE(shard.may_publish(now, topic, true));  // of this topic one
  }
  CHECK_FALSE(shard.may_publish(now, "f", true));  // no more are retained in this second
  CHECK(shard.may_publish(now + seconds(1), "a", true));
  taken = 0;
  while (shard.may_publish(now + seconds(5), "a", false)) ++taken;
  CHECK(taken == 10);
}

}  // namespace
}  // namespace gnomon::broker
