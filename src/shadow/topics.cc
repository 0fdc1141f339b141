#include "shadow/topics.h"

#include <algorithm>

#include "base/limits.h"

namespace gnomon::shadow {

namespace {

constexpr std::string_view things = "$aws/things/", shadow = "/shadow/", named = "name/";

bool is_name(std::string_view name, std::string_view also, std::size_t most) {
  return !name.empty() && name.size() <= most && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

bool take(std::string_view& text, std::string_view beginning) {
  if (!text.starts_with(beginning)) return false;
  text.remove_prefix(beginning.size());
  return true;
}

std::string_view take_level(std::string_view& text) {
  const std::string_view level = text.substr(0, text.find('/'));
  text.remove_prefix(level.size());
  return level;
}

}  // namespace

bool is_thing_name(std::string_view name) {
  return is_name(name, ":_-", limits::thing_name_bytes_max);
}
bool is_shadow_name(std::string_view name) {
  return is_name(name, "$:_-", limits::shadow_name_bytes_max);
}

std::optional<Topic> read_topic(std::string_view topic) {
  if (!take(topic, things)) return std::nullopt;
  Topic read;
  read.address.thing = take_level(topic);
  if (!is_thing_name(read.address.thing) || !take(topic, shadow)) return std::nullopt;
  if (take(topic, named)) {
    read.address.name = take_level(topic);
    if (!is_shadow_name(read.address.name) || !take(topic, "/")) return std::nullopt;
  }
  for (const Ask ask : {Ask::get, Ask::update, Ask::remove}) {
    if (topic != word_of(ask)) continue;
    read.ask = ask;
    return read;
  }
  return std::nullopt;
}

std::string topic_prefix(const Address& address) {
  std::string prefix(things);
  (prefix += address.thing) += shadow;
  if (!address.name.empty()) ((prefix += named) += address.name) += '/';
  return prefix;
}

std::string_view word_of(Ask ask) {
  switch (ask) {
    case Ask::get:
      return "get";
    case Ask::update:
    case Ask::restore:
      return "update";
    case Ask::remove:
      return "delete";
    case Ask::index:
    case Ask::forget:
      break;  // nobody is told
  }
  return {};
}

}  // namespace gnomon::shadow
