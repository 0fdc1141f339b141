#include "operations/fields.h"

#include <boost/json.hpp>

namespace gnomon::operations {

const json::Value* member(const json::Value& input, std::string_view path) {
  const json::Value* at = &input;
  while (at != nullptr && !path.empty()) {
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(name.size() == path.size() ? name.size() : name.size() + 1);
    const auto* object = at->if_object();
    at = object == nullptr ? nullptr : object->if_contains(name);
  }
  return at;
}

std::string_view text(const json::Value& input, std::string_view path) {
  const json::Value* at = member(input, path);
  return at == nullptr ? std::string_view() : std::string_view(at->as_string());
}

std::optional<std::int64_t> number(const json::Value& input, std::string_view path) {
  const json::Value* at = member(input, path);
  if (at == nullptr) return std::nullopt;
  return at->as_int64();
}

std::optional<bool> flag(const json::Value& input, std::string_view path) {
  const json::Value* at = member(input, path);
  if (at == nullptr) return std::nullopt;
  return at->as_bool();
}

std::vector<std::string> texts(const json::Value& input, std::string_view path) {
  std::vector<std::string> all;
  const json::Value* at = member(input, path);
  if (at == nullptr) return all;
  for (const json::Value& one : at->as_array()) all.emplace_back(one.as_string());
  return all;
}

}  // namespace gnomon::operations
