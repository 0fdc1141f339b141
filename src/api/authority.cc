#include "api/authority.h"

#include <boost/json.hpp>

namespace gnomon::api {
namespace {

namespace bj = boost::json;

// Null: nothing is at that path.
const bj::value* find(const bj::value& input, std::string_view path) {
  const bj::value* value = &input;
  while (!path.empty()) {
    if (!value->is_object()) return nullptr;
    const std::size_t dot = path.find('.');
    value = value->get_object().if_contains(path.substr(0, dot));
    if (value == nullptr || value->is_null()) return nullptr;
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
  }
  return value;
}

std::string text_of(const bj::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::write(value);
}

// Every combination so far goes on with each of `texts`.
void append_each(std::vector<std::string>& all, const std::vector<std::string>& texts) {
  std::vector<std::string> longer;
  longer.reserve(all.size() * texts.size());
  for (const std::string& one : all) {
    for (const std::string& text : texts) longer.push_back(one + text);
  }
  all = std::move(longer);
}

// What stands for a part; nothing: its member is not there, and nothing takes its place.
std::vector<std::string> texts_of(const Part& part, const bj::value& input,
                                  const Surroundings& around) {
  if (part.kind == Part::Kind::text) return {std::string(part.text)};
  if (part.kind == Part::Kind::account) return {std::string(around.account)};
  if (part.kind == Part::Kind::region) return {std::string(around.region)};
  std::vector<std::string> texts;
  const bj::value* const value = find(input, part.text);
  if (value != nullptr && value->is_array()) {
    for (const bj::value& one : value->get_array()) texts.push_back(text_of(one));
  } else if (value != nullptr) {
    texts.push_back(std::string(part.prefix) + text_of(*value));
  } else if (!part.prefix.empty()) {
    texts.emplace_back();
  } else if (!part.fallback.empty()) {
    texts.emplace_back(part.fallback == "@caller" ? around.caller : part.fallback);
  }
  if (part.lookup.empty()) return texts;
  for (std::string& text : texts) text.insert(0, around.path_of(part.lookup, text));
  return texts;
}

std::vector<std::string> filled(const Template& one, const bj::value& input,
                                const Surroundings& around) {
  std::vector<std::string> all = {""};
  for (const Part& part : one.parts) append_each(all, texts_of(part, input, around));
  return all;
}

void append_tags(std::vector<KeyWithValues>& keys, const bj::value& tags) {
  KeyWithValues names{"aws:TagKeys", {}};
  if (tags.is_object()) {  // a map
    for (const auto& [name, value] : tags.get_object()) {
      names.values.emplace_back(name);
      keys.push_back({"aws:RequestTag/" + std::string(name), {text_of(value)}});
    }
  } else {
    for (const bj::value& tag : tags.as_array()) {
      const bj::value* const name = find(tag, "Key");
      if (name == nullptr) continue;
      const bj::value* const value = find(tag, "Value");
      names.values.push_back(text_of(*name));
      keys.push_back({"aws:RequestTag/" + text_of(*name),
                      {value == nullptr ? std::string() : text_of(*value)}});
    }
  }
  keys.push_back(std::move(names));
}

}  // namespace

std::vector<std::string_view> actions(const Row& row, const json::Value& input) {
  std::vector<std::string_view> all;
  for (const Action& action : row.actions) {
    if (!action.if_member.empty()) {
      const bj::value* const value = find(input, action.if_member);
      if (value == nullptr || (value->is_bool() && !value->get_bool())) continue;
    }
    all.push_back(action.name);
  }
  return all;
}

std::vector<std::string> resources(const Row& row, const json::Value& input,
                                   const Surroundings& surroundings) {
  std::vector<std::string> all;
  for (const Template& one : row.resources) {
    for (std::string& arn : filled(one, input, surroundings)) all.push_back(std::move(arn));
  }
  if (all.empty()) all.emplace_back("*");
  return all;
}

std::vector<KeyWithValues> condition_keys(const Row& row, const json::Value& input) {
  std::vector<KeyWithValues> keys;
  for (const ConditionKey& key : row.keys) {
    if (key.kind == ConditionKey::Kind::target_boundary) continue;
    const bj::value* const value = find(input, key.member);
    if (value == nullptr) continue;
    if (key.kind == ConditionKey::Kind::tags) {
      append_tags(keys, *value);
      continue;
    }
    const bool names = key.kind == ConditionKey::Kind::tag_keys;
    KeyWithValues made{names ? std::string("aws:TagKeys") : std::string(key.name), {}};
    if (value->is_array()) {
      for (const bj::value& one : value->get_array()) made.values.push_back(text_of(one));
    } else {
      made.values.push_back(text_of(*value));
    }
    keys.push_back(std::move(made));
  }
  return keys;
}

std::vector<RoleToPass> roles_to_pass(const Row& row, const json::Value& input) {
  std::vector<RoleToPass> roles;
  for (const PassedRole& pass : row.passes) {
    const bj::value* const value = find(input, pass.member);
    if (value != nullptr) roles.push_back({text_of(*value), pass.service});
  }
  return roles;
}

}  // namespace gnomon::api
