// What the inputs of the service iot have in common. Internal to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "api/error.h"
#include "base/result.h"
#include "json/json.h"
#include "registry/page.h"
#include "registry/tags.h"
#include "registry/things.h"

namespace gnomon::operations {

// The names that operations have for pages: of how many entries, which one, which comes next.
struct Paging {
  std::string_view limit, token, next;
};
constexpr Paging by_token{"maxResults", "nextToken", "nextToken"};
constexpr Paging by_marker{"pageSize", "marker", "nextMarker"};
[[nodiscard]] registry::PageRequest page_of(const json::Value& input, const Paging& paging);

// No record has a version below 0: one in a request is met by VersionConflictException.
[[nodiscard]] std::optional<std::uint64_t> expected_version(const json::Value& input);

// Without `attributes` in it a payload says nothing; with none in those it replaces them by none.
[[nodiscard]] std::optional<registry::AttributePayload> attributes_of(const json::Value& input,
                                                                      std::string_view path);

// Of the member "tags". Errors: InvalidRequestException (a key twice).
Result<registry::Tags, api::ApiError> tags_of(const json::Value& input);

}  // namespace gnomon::operations
