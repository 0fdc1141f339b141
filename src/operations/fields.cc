#include "operations/fields.h"

#include <utility>

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

std::string text_copy(const json::Value& input, std::string_view path) {
  return std::string(text(input, path));
}

std::optional<std::string> maybe_text(const json::Value& input, std::string_view path) {
  const json::Value* at = member(input, path);
  if (at == nullptr) return std::nullopt;
  return std::string(at->as_string());
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

std::map<std::string, std::string> text_map(const json::Value& input, std::string_view path) {
  std::map<std::string, std::string> all;
  const json::Value* at = member(input, path);
  if (at == nullptr) return all;
  for (const auto& [name, value] : at->as_object()) all.emplace(name, value.as_string());
  return all;
}

json::Value text_value(std::string_view text) { return boost::json::string(text); }

json::Value or_null(std::string_view text) {
  if (text.empty()) return nullptr;
  return text_value(text);
}

json::Value or_null(WallTime at) {
  if (at.ms == 0) return nullptr;
  return at.ms;
}

json::Value& begin_list(json::Value& output, std::string_view name) {
  return output.as_object()[name] = boost::json::array();
}

void append(json::Value& list, json::Value item) { list.as_array().push_back(std::move(item)); }

void set(json::Value& output, std::string_view name, json::Value value) {
  output.as_object()[name] = std::move(value);
}

}  // namespace gnomon::operations
