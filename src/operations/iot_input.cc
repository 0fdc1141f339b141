#include "operations/iot_input.h"

#include <string>

#include <boost/json.hpp>

#include "operations/fields.h"
#include "operations/iot_failure.h"

namespace gnomon::operations {

registry::PageRequest page_of(const json::Value& input, const Paging& paging) {
  return {static_cast<int>(number(input, paging.limit).value_or(0)),
          text_copy(input, paging.token)};
}

std::optional<std::uint64_t> expected_version(const json::Value& input) {
  const auto version = number(input, "expectedVersion");
  if (!version) return std::nullopt;
  return static_cast<std::uint64_t>(*version);
}

std::optional<registry::AttributePayload> attributes_of(const json::Value& input,
                                                        std::string_view path) {
  const json::Value* payload = member(input, path);
  if (payload == nullptr || member(*payload, "attributes") == nullptr) return std::nullopt;
  return registry::AttributePayload{text_map(*payload, "attributes"),
                                    flag(*payload, "merge").value_or(false)};
}

Result<registry::Tags, api::ApiError> tags_of(const json::Value& input) {
  registry::Tags tags;
  const json::Value* list = member(input, "tags");
  if (list == nullptr) return tags;
  for (const json::Value& tag : list->as_array()) {
    const std::string key = text_copy(tag, "Key");
    if (!tags.emplace(key, text(tag, "Value")).second) {
      return refuse("Tag keys must be unique: " + key + " is there twice.");
    }
  }
  return tags;
}

}  // namespace gnomon::operations
