#include "cli/json.h"

#include <boost/json.hpp>

#include "json/json.h"

namespace gnomon::cli {

namespace {

Json of(const json::Value& value) {
  Json out;
  switch (value.kind()) {
    case boost::json::kind::null:
      break;
    case boost::json::kind::bool_:
      out.kind = Json::Kind::boolean;
      out.text = json::write(value);
      break;
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
    case boost::json::kind::double_:
      out.kind = Json::Kind::number;
      out.text = json::write(value);
      break;
    case boost::json::kind::string:
      out.kind = Json::Kind::string;
      out.text = value.get_string();
      break;
    case boost::json::kind::array:
      out.kind = Json::Kind::array;
      for (const json::Value& each : value.get_array()) out.members.push_back({"", of(each)});
      break;
    case boost::json::kind::object:
      out.kind = Json::Kind::object;
      for (const auto& [name, each] : value.get_object()) out.members.push_back({name, of(each)});
      break;
  }
  return out;
}

// What somebody has published may be as long as he likes, and say a name twice.
Result<json::Value> parse(std::string_view text) {
  constexpr int depth_max = 512;
  return json::parse(
      text, {.bytes_max = SIZE_MAX, .depth_max = depth_max, .duplicates = json::Duplicates::last});
}

}  // namespace

const Json* Json::find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view Json::get(std::string_view name) const {
  const Json* member = find(name);
  return member == nullptr ? std::string_view() : std::string_view(member->text);
}

std::optional<Json> read_json(std::string_view text) {
  const auto value = parse(text);
  if (!value) return std::nullopt;
  return of(*value);
}

bool is_json(std::string_view text) { return parse(text).ok(); }

}  // namespace gnomon::cli
