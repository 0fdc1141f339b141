// Reading the inputs of operations: objects whose members are of the modelled types already.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"

namespace gnomon::operations {

// The member of a path ("attributePayload.attributes"); null: it is not there.
[[nodiscard]] const json::Value* member(const json::Value& input, std::string_view path);
// The text of one; "" if it is not there. Valid as long as the input.
[[nodiscard]] std::string_view text(const json::Value& input, std::string_view path);
[[nodiscard]] std::optional<std::int64_t> number(const json::Value& input, std::string_view path);
[[nodiscard]] std::optional<bool> flag(const json::Value& input, std::string_view path);
// A list of texts; none if it is not there.
[[nodiscard]] std::vector<std::string> texts(const json::Value& input, std::string_view path);

}  // namespace gnomon::operations
