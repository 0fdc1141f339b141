#include "metrics/metrics.h"

#include <array>
#include <stdexcept>

#include <doctest/doctest.h>

namespace gnomon::metrics {
namespace {

constexpr std::array<Row, 4> rows{{
    {"gnomon_things", Kind::gauge, "", "Things there are."},
    {"gnomon_drops_total", Kind::counter, "reason=\"late\"", "Drops, by reason."},
    {"gnomon_drops_total", Kind::counter, "reason=\"full\",side=\"in\"", "Drops, by reason."},
    {"gnomon_bytes_total", Kind::counter, "", "Bytes."},
}};
constexpr std::array<Row, 1> others{{{"gnomon_other", Kind::gauge, "", "Another table."}}};

TEST_CASE("samples of a table are added up, and written as Prometheus reads them") {
  const std::vector<Sample> samples{
      {rows, {1, 2, 3, 4}}, {others, {9}}, {rows, {10, 20, 30, 5'000'000'000}}};
  CHECK(exposition(samples) ==
        "# HELP gnomon_things Things there are.\n"
        "# TYPE gnomon_things gauge\n"
        "gnomon_things 11\n"
        "# HELP gnomon_drops_total Drops, by reason.\n"
        "# TYPE gnomon_drops_total counter\n"
        "gnomon_drops_total{reason=\"late\"} 22\n"
        "gnomon_drops_total{reason=\"full\",side=\"in\"} 33\n"
        "# HELP gnomon_bytes_total Bytes.\n"
        "# TYPE gnomon_bytes_total counter\n"
        "gnomon_bytes_total 5000000004\n"
        "# HELP gnomon_other Another table.\n"
        "# TYPE gnomon_other gauge\n"
        "gnomon_other 9\n");
}

TEST_CASE("a table that is wrong is a bug, and named") {
  const Row good{"gnomon_a", Kind::gauge, "side=\"in\"", "A."};
  const std::array<Row, 3> apart{{good, {"gnomon_b", Kind::gauge, "", "B."}, good}};
  const std::array<Row, 2> kinds{{good, {"gnomon_a", Kind::counter, "side=\"out\"", "A."}}};
  const std::array<Row, 2> helps{{good, {"gnomon_a", Kind::gauge, "side=\"out\"", "Other."}}};
  CHECK_THROWS_AS((void)exposition(std::vector<Sample>{{apart, {1, 2, 3}}}), std::logic_error);
  CHECK_THROWS_AS((void)exposition(std::vector<Sample>{{kinds, {1, 2}}}), std::logic_error);
  CHECK_THROWS_AS((void)exposition(std::vector<Sample>{{helps, {1, 2}}}), std::logic_error);
  CHECK_THROWS_AS((void)exposition(std::vector<Sample>{{rows, {1}}}), std::logic_error);
  for (const char* labels :
       {"side", "side=in", "=\"in\"", "side=\"in", "a=\"b\",", "a=\"b\"c=\"d\""}) {
    const std::array<Row, 1> table{{{"gnomon_a", Kind::gauge, labels, "A."}}};
    CHECK_THROWS_AS((void)exposition(std::vector<Sample>{{table, {1}}}), std::logic_error);
  }
}

TEST_CASE("nothing gives nothing") { CHECK(exposition({}).empty()); }

}  // namespace
}  // namespace gnomon::metrics
