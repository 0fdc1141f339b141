// Reading JSON: payloads that go into a line of JSON as they are, answers of the admin listener.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::cli {

// Json: one value as text, so that who prints it needs no Boost.JSON.
struct JsonMember;
struct Json {
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  std::string text;                 // string; number and boolean as JSON writes them
  std::vector<JsonMember> members;  // object; array, with empty names

  // The member of that name, or null.
  [[nodiscard]] const Json* find(std::string_view name) const;
  // The text of a member, "" if there is none.
  [[nodiscard]] std::string_view get(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  Json value;
};

// One JSON value (RFC 8259), at most 512 levels deep, in UTF-8; nullopt: it is none.
[[nodiscard]] std::optional<Json> read_json(std::string_view text);
[[nodiscard]] bool is_json(std::string_view text);

}  // namespace gnomon::cli
