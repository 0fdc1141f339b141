#include "broker/rate.h"

#include <doctest/doctest.h>

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

}  // namespace
}  // namespace gnomon::broker
