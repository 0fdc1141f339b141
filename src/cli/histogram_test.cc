#include "cli/histogram.h"

#include <doctest/doctest.h>

namespace gnomon::cli {
namespace {

TEST_CASE("histogram: percentiles are within 1.6 % below the value") {
  Histogram histogram;
  for (int us = 1; us <= 1000; ++us) histogram.add(std::chrono::microseconds(us));
  for (const double fraction : {0.1, 0.5, 0.9, 0.99}) {
    const auto ns = static_cast<double>(histogram.percentile(fraction).count());
    const double exact = fraction * 1e6 + 1000;  // the first value above that part
    CHECK(ns <= exact);
    CHECK(ns >= exact * (1 - 1.0 / 64));
  }
  CHECK(histogram.most() == std::chrono::microseconds(1000));
  CHECK(histogram.percentile(1) == histogram.most());
}

TEST_CASE("histogram: the smallest, the largest, none and a clock that went back") {
  Histogram histogram;
  CHECK(histogram.percentile(0.5) == Duration(0));
  histogram.add(Duration(-5));
  CHECK(histogram.percentile(0.5) == Duration(0));
  histogram.add(Duration::max());
  histogram.add(Duration::max());
  CHECK(histogram.count() == 3);
  CHECK(histogram.most() == Duration::max());
  CHECK(histogram.percentile(0.5) <= Duration::max());
  CHECK(histogram.percentile(0.5).count() >= Duration::max().count() / 64 * 63);
}

}  // namespace
}  // namespace gnomon::cli
