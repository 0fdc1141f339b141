// Fields: what one section of a shadow holds, each value with the time of its last change. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json/json.h"

namespace boost::json {
class object;
}

namespace gnomon::shadow {

using Seconds = std::uint64_t;  // wall time, since 1970

// Field: an object with its fields, or a value: a scalar or an array, which is replaced as a whole.
// State and metadata are two ways of writing it, so they cannot differ in their leaves. An object
// without fields is none: merge() leaves none behind, but for the section itself. A value.
struct Field {
  std::string name;
  std::string value;           // JSON as json::write() has it; empty: an object
  Seconds at = 0;              // of a value
  std::vector<Field> members;  // of an object; by name, in the order of its bytes

  [[nodiscard]] bool is_object() const { return value.empty(); }
  [[nodiscard]] bool empty() const { return value.empty() && members.empty(); }
  bool operator==(const Field&) const = default;
  static void fields(auto& field, auto& archive) {
    archive(field.name, field.value, field.at, field.members);
  }
};

// Merges what a request has set at `now` into an object: null takes a field away, an object is
// merged, everything else replaces. A field that is set has its time renewed, if it is the same as
// before, too.
void merge(Field& into, const boost::json::object& request, Seconds now);

// Appends `{"a":1,"b":{"c":[2]}}`, and the same with {"timestamp":…} in place of each scalar.
void write_state(const Field& field, std::string& out);
void write_metadata(const Field& field, std::string& out);
// The metadata of what a request has set; null, too, has a time (AWS IoT answers so).
void write_metadata(const json::Value& request, Seconds now, std::string& out);

// What of `desired` is not so in `reported`, with its path from the root: the state, and the times
// of `desired`. Numbers are compared by value, arrays as a whole. False: nothing, and nothing was
// appended.
bool write_difference(const Field& desired, const Field& reported, std::string& state,
                      std::string& metadata);
// Whether there is any.
[[nodiscard]] bool differs(const Field& desired, const Field& reported);

}  // namespace gnomon::shadow
