// Values between their texts on the wire and the objects that handlers see. Internal to api.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/tables.h"
#include "api/uri.h"
#include "json/json.h"

namespace gnomon::api {

// Why a value cannot be read: what it is, and where.
using Trouble = std::optional<std::string>;

// From a JSON document. `path`: of the value, for messages.
[[nodiscard]] Trouble from_json(const Shape& shape, const json::Value& value,
                                const std::string& path, json::Value& out);
// From text: a label, parameter or header. Not for structures, lists and maps.
[[nodiscard]] Trouble from_text(const Shape& shape, std::string_view text, const std::string& path,
                                json::Value& out);
// From the parameters of a form: `out` becomes an object of the structure `shape`.
[[nodiscard]] Trouble from_form(const Shape& shape, const std::vector<Parameter>& parameters,
                                json::Value& out);

// What is wrong with the values of `input`, in one message as AWS words it ("2 validation errors
// detected: …"); nothing: it is as the model wants it. At most limits::validation_errors_max are
// told.
[[nodiscard]] std::optional<std::string> validate(const Shape& shape, const json::Value& input);

}  // namespace gnomon::api
