#include "server/shadow_quota.h"

#include <chrono>

#include <doctest/doctest.h>

namespace gnomon::server {
namespace {

Instant at(std::chrono::milliseconds time) { return Instant{} + time; }

TEST_CASE("AWS IoT: ten requests of a thing are open, twenty come in a second") {
  using std::chrono::milliseconds;
  const broker::Profile profile = broker::aws_profile();
  ShadowQuota quota(profile);
  CHECK(quota.limits_anything());
  int taken = 0;
  for (int n = 0; n < 15; ++n) taken += quota.take("lamp", at(milliseconds(0))) ? 1 : 0;
  CHECK(taken == 10);
  CHECK(quota.take("other", at(milliseconds(0))));
  quota.give_back("lamp");
  CHECK(quota.take("lamp", at(milliseconds(0))));
  CHECK_FALSE(quota.take("lamp", at(milliseconds(0))));

  for (int n = 0; n < 10; ++n) quota.give_back("lamp");
  taken = 0;
  for (int n = 0; n < 30; ++n) {
    if (!quota.take("lamp", at(milliseconds(1)))) continue;
    ++taken;
    quota.give_back("lamp");
  }
  CHECK(taken == 9);  // 11 of that second are used
  CHECK(quota.take("lamp", at(milliseconds(60))));
  CHECK_FALSE(quota.take("lamp", at(milliseconds(60))));
}

TEST_CASE("nobody limits anything else") {
  const broker::Profile profile;
  CHECK_FALSE(ShadowQuota(profile).limits_anything());
}

TEST_CASE("what is remembered of things is bounded; what is open is not forgotten") {
  const broker::Profile profile = broker::aws_profile();
  ShadowQuota quota(profile);
  for (int n = 0; n < 10; ++n) REQUIRE(quota.take("busy", Instant{}));
  for (std::size_t n = 0; n < limits::rates_remembered_max + 10; ++n) {
    const std::string thing = "t" + std::to_string(n);
    REQUIRE(quota.take(thing, Instant{}));
    quota.give_back(thing);
  }
  CHECK(quota.remembered() <= limits::rates_remembered_max);
  CHECK_FALSE(quota.take("busy", Instant{}));
  quota.give_back("busy");
  CHECK(quota.take("busy", Instant{}));
}

}  // namespace
}  // namespace gnomon::server
