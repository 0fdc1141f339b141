// The documents of answers. Internal to api.
#pragma once

#include <string>
#include <string_view>

#include "api/tables.h"
#include "json/json.h"

namespace gnomon::api {

// All of these throw std::logic_error: a member that the shape does not have, or a wrong type.

// The members of the structure `shape` with Location::body, as a JSON object with their wire names.
[[nodiscard]] json::Value to_json(const Shape& shape, const json::Value& value);
// Likewise, as XML elements, one after the other.
void to_xml(std::string& out, const Shape& shape, const json::Value& value);
// Text content, escaped; what XML 1.0 cannot hold becomes U+FFFD.
void append_xml_text(std::string& out, std::string_view text);
// As a header has it.
[[nodiscard]] std::string to_text(const Shape& shape, const json::Value& value);

}  // namespace gnomon::api
