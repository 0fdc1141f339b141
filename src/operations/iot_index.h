// What the operations on the fleet index have in common. Internal to the module.
#pragma once

#include <optional>
#include <string>

#include "api/error.h"
#include "json/json.h"

namespace gnomon::operations {

// A "queryVersion" or "indexName" that is none of ours. Errors: InvalidRequestException.
std::optional<api::ApiError> check_query_version(const json::Value& input);
// "AWS_Things" if none is given. Errors: ResourceNotFoundException.
Result<std::string, api::ApiError> index_name(const json::Value& input);

inline constexpr std::string_view query_version = "2017-09-30";

}  // namespace gnomon::operations
