#include "server/status.h"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "base/version.h"

namespace gnomon::server {
namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST_CASE("the version and the durability are told") {
  for (const bool memory : {false, true}) {
    Config config;
    config.durability = memory ? Durability::memory : Durability::disk;
    const metrics::Sample sample = status(config, {}, {}, 0);
    const std::string text = metrics::exposition({&sample, 1});
    CHECK(has_line(text, "gnomon_build_info{version=\"" + std::string(version()) + "\"} 1"));
    CHECK(has_line(text, memory ? "gnomon_durability{mode=\"memory\"} 1"
                                : "gnomon_durability{mode=\"memory\"} 0"));
    CHECK(has_line(text, memory ? "gnomon_durability{mode=\"disk\"} 0"
                                : "gnomon_durability{mode=\"disk\"} 1"));
  }
}

TEST_CASE("what the wall clock has done, and what could not be accepted, is told") {
  const metrics::Sample sample = status({}, {2, 3, true, false}, {}, 4);
  const std::string text = metrics::exposition({&sample, 1});
  CHECK(has_line(text, "gnomon_clock_jumps_total{direction=\"forward\"} 2"));
  CHECK(has_line(text, "gnomon_clock_jumps_total{direction=\"back\"} 3"));
  CHECK(has_line(text, "gnomon_clock_doubted 1"));
  CHECK(has_line(text, "gnomon_clock_unset 0"));
  CHECK(has_line(text, "gnomon_accept_failures_total 4"));
}

TEST_CASE("what syncs have cost is told, in seconds") {
  const metrics::Sample sample = status({}, {}, {4, 2'500'000'000, 1'250'000'000}, 0);
  const std::string text = metrics::exposition({&sample, 1});
  CHECK(has_line(text, "gnomon_syncs_total 4"));
  CHECK(has_line(text, "gnomon_sync_seconds_total 2.5"));
  CHECK(has_line(text, "gnomon_sync_seconds_max 1.25"));
}

}  // namespace
}  // namespace gnomon::server
