// JSON documents: read within limits, written compactly. A document is a tree of Boost.JSON, whose
// header only the .cc files include that look into one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"

namespace boost::json {
class value;
}

namespace gnomon::json {

using Value = boost::json::value;  // complete where <boost/json.hpp> is included

// What an object may not hold is the same name twice: readers differ in which one counts, so what
// one of them has checked is not what another one uses. `last` is for documents of clients that are
// used to it.
enum class Duplicates : std::uint8_t { refused, last };

struct Limits {
  std::size_t bytes_max = limits::json_bytes_max;  // of the text
  int depth_max = limits::json_depth_max;          // arrays and objects inside each other
  Duplicates duplicates = Duplicates::refused;
};

// Reads one JSON text (RFC 8259) in UTF-8, without a byte order mark. Whole numbers that 64 bits
// hold stay exact (-2^63 to 2^64-1), all others become the nearest double. Errors: `exhausted` (too
// long); `invalid`, with line and column: not JSON, not UTF-8, too deep, half of a surrogate pair,
// a name twice in an object, a number beyond 1.8e308.
Result<Value> parse(std::string_view text, const Limits& limits = {});

// The shortest text that reads as the same again; no white space, names in the order of the tree. A
// double shows that it is one ("1.0"). One that is no number (infinite, NaN: parse gives none)
// becomes null.
void write(std::string& out, const Value& value);
[[nodiscard]] std::string write(const Value& value);

}  // namespace gnomon::json
