// Queries of the fleet index: read, and matched against what is known of a thing. Pure.
// Syntax (AWS IoT: "Query syntax", version 2017-09-30):
//
//   query    thingName:my*              a field and its value; * stands for any text, ? for a
//   letter
//            attributes.size:[75 TO 80] from 75 to 80; {75 TO 80} without them; * is no bound
//            attributes.size>75         >, >=, <, <=, also behind the colon
//            attributes.note:"two words"    \ takes the next character as it is
//            attributes.color:(red OR blue) a field for all of them
//            connectivity.connected:*   the field is there
//            lamp                       any field has it
//            *                          all
//            a AND b, a b, a OR b, NOT a, -a, (a)    NOT before AND before OR
//
// Names of fields are case-sensitive, values are not. Numbers are compared by value.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "index/terms.h"

namespace gnomon::index {

// Query: a tree. A value.
struct Query {
  enum class Kind : std::uint8_t { all, exists, term, pattern, range, both, either, negation };
  Kind kind = Kind::all;
  std::string field;             // of the first four; empty: any
  std::string text;              // term: folded; pattern: folded, \ before what is no wildcard
  std::optional<double> number;  // term: that it may be, too
  bool numeric = false;          // range: of numbers; else of texts
  std::optional<Bound> least, most;
  std::vector<Query> parts;  // both, either: two or more; negation: one
};

// Errors: invalid, with the place in the text: no such query, longer than limits::query_bytes_max,
// of more than limits::query_terms_max terms, too deep.
Result<Query> read_query(std::string_view text);

// Calls `visit` for each leaf: what has no parts.
void each_leaf(const Query& query, const std::function<void(const Query&)>& visit);

// Subject: what is known of a thing.
class Subject {
 public:
  // Calls `visit` for the values of a field (of all fields: ""), until it returns true.
  using Visit = std::function<bool(const Value&)>;
  virtual void each(std::string_view field, const Visit& visit) const = 0;

 protected:
  ~Subject() = default;
};
[[nodiscard]] bool matches(const Query& query, const Subject& subject);

// Whether a text is as a pattern says; both folded.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace gnomon::index
