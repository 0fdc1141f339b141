// Aggregations: GetStatistics, GetCardinality, GetPercentiles, GetBucketsAggregation. Each looks at
// all things that a query matches and takes the values of one field: at most limits::aggregated_max
// things. Exact, where AWS IoT estimates.
//
// Errors of all: those of ask_things(); invalid_aggregation (there is no such field, it is not
// indexed, too many things or values).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "registry/registry.h"

namespace gnomon::fleet {

struct Aggregate {
  std::string query;
  std::string field = "registry.version";
};

// Of texts there is only the count. A bool is 1 or 0.
struct Statistics {
  std::uint64_t count = 0;  // of things that have the field
  struct Numbers {
    double average = 0, sum = 0, minimum = 0, maximum = 0, sum_of_squares = 0, variance = 0,
           std_deviation = 0;  // of the whole, not of a sample
  };
  std::optional<Numbers> numbers;  // nullopt: there are none
};
registry::Reply<Statistics> statistics(const registry::Registry& registry,
                                       const Aggregate& aggregate);

// How many different values there are; texts without regard to case.
registry::Reply<std::uint64_t> cardinality(const registry::Registry& registry,
                                           const Aggregate& aggregate);

// The values below which so many per cent of the numbers lie, between two of them in proportion;
// none if there are no numbers. `percents`: each 0 to 100; empty: 1, 5, 25, 50, 75, 95, 99.
using Percentiles = std::vector<std::pair<double, double>>;
registry::Reply<Percentiles> percentiles(const registry::Registry& registry,
                                         const Aggregate& aggregate, std::vector<double> percents);

// The most frequent values, and of how many things; texts as one of the things has them.
struct Buckets {
  std::uint64_t total = 0;  // things that the query matches
  struct Bucket {
    std::string value;
    std::uint64_t count = 0;
  };
  std::vector<Bucket> buckets;  // the largest first, equal ones in the order of the values
};
registry::Reply<Buckets> buckets(const registry::Registry& registry, const Aggregate& aggregate,
                                 std::size_t most);

}  // namespace gnomon::fleet
