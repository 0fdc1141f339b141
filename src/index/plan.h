// Plan: where the things are that a query may match. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "index/query.h"
#include "index/terms.h"

namespace gnomon::index {

// Plan: a tree of sets of things. Each holds what its query matches, and perhaps more: whoever
// walks it still has to match.
struct Plan {
  enum class Kind : std::uint8_t {
    everything,
    term,    // one term, whose postings are in the order of the things
    ranges,  // postings of many terms
    both,
    either
  };
  Kind kind = Kind::everything;
  std::string prefix;         // term: what its postings begin with
  std::vector<Range> ranges;  // of postings
  std::vector<Plan> parts;
};

struct Planning {
  // Whether all that such a leaf of a query matches has postings.
  std::function<bool(const Query& leaf)> has_postings;
  // The fields that there are, for a leaf without one; nullopt: too many.
  std::function<std::optional<std::vector<std::string>>()> fields;
};
[[nodiscard]] Plan plan(const Query& query, const Planning& planning);

}  // namespace gnomon::index
