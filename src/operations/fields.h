// Reading the inputs of operations: objects whose members are of the modelled types already. Making
// outputs: a member that is null is left out of the answer (api/render.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "json/json.h"

namespace gnomon::operations {

// The member of a path ("attributePayload.attributes"); null: it is not there.
[[nodiscard]] const json::Value* member(const json::Value& input, std::string_view path);
// The text of one; "" if it is not there. Valid as long as the input.
[[nodiscard]] std::string_view text(const json::Value& input, std::string_view path);
[[nodiscard]] std::string text_copy(const json::Value& input, std::string_view path);
[[nodiscard]] std::optional<std::string> maybe_text(const json::Value& input,
                                                    std::string_view path);
[[nodiscard]] std::optional<std::int64_t> number(const json::Value& input, std::string_view path);
[[nodiscard]] std::optional<bool> flag(const json::Value& input, std::string_view path);
// A list of texts; none if it is not there.
[[nodiscard]] std::vector<std::string> texts(const json::Value& input, std::string_view path);
// A map from texts to texts; empty if it is not there.
[[nodiscard]] std::map<std::string, std::string> text_map(const json::Value& input,
                                                          std::string_view path);

// ---- outputs

[[nodiscard]] json::Value text_value(std::string_view text);
// Null for "", for the time 0.
[[nodiscard]] json::Value or_null(std::string_view text);
[[nodiscard]] json::Value or_null(WallTime at);

// Gives `output` a list of that name, which append() fills; valid until `output` changes.
json::Value& begin_list(json::Value& output, std::string_view name);
void append(json::Value& list, json::Value item);
void set(json::Value& output, std::string_view name, json::Value value);

}  // namespace gnomon::operations
