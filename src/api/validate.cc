// What the model demands of values, in AWS's words.
#include <algorithm>
#include <cmath>

#include <boost/json.hpp>

#include "api/values.h"
#include "base/limits.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

std::string number(double value) {
  return std::abs(value) < 9e15 && std::trunc(value) == value
             ? std::to_string(static_cast<std::int64_t>(value))
             : std::to_string(value);
}

// "userName": messages show members so, however the model spells them.
std::string shown_name(std::string_view name) {
  std::string out(name);
  if (!out.empty() && out[0] >= 'A' && out[0] <= 'Z')
    out[0] = static_cast<char>(out[0] - 'A' + 'a');
  return out;
}

void append_value(std::string& out, const bj::value& value) {
  if (out.size() > limits::shown_value_bytes_max) return;
  if (value.is_string()) {
    out += std::string_view(value.get_string());
  } else if (value.is_array()) {
    out += '[';
    for (const bj::value& one : value.get_array()) {
      if (out.back() != '[') out += ", ";
      append_value(out, one);
    }
    out += ']';
  } else if (value.is_object()) {
    out += '{';
    for (const auto& [key, one] : value.get_object()) {
      if (out.back() != '{') out += ", ";
      out.append(key).append("=");
      append_value(out, one);
    }
    out += '}';
  } else {
    json::write(out, value);
  }
}

std::string shown_value(const Shape& shape, const bj::value& value) {
  if (shape.type == Type::blob) return std::to_string(value.get_string().size()) + " bytes";
  std::string out;
  append_value(out, value);
  if (out.size() <= limits::shown_value_bytes_max) return out;
  std::size_t end = limits::shown_value_bytes_max;
  while (end > 0 && (out[end] & 0xc0) == 0x80) --end;  // not within a character
  return out.substr(0, end) + "…";
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

// What `value` (no structure) itself breaks: "Member must …".
std::vector<std::string> broken(const Shape& shape, const bj::value& value) {
  std::vector<std::string> all;
  double measure = 0;
  std::string what = "length";
  switch (shape.type) {
    case Type::string:
      measure = static_cast<double>(characters(value.get_string()));
      break;
    case Type::blob:
      measure = static_cast<double>(value.get_string().size());
      break;
    case Type::list:
      measure = static_cast<double>(value.get_array().size());
      break;
    case Type::map:
      measure = static_cast<double>(value.get_object().size());
      break;
    case Type::integer:
    case Type::number:
      measure = value.to_number<double>();
      what = "value";
      break;
    default:
      return all;
  }
  if (measure > shape.most) {
    all.push_back("Member must have " + what + " less than or equal to " + number(shape.most));
  }
  if (measure < shape.least) {
    all.push_back("Member must have " + what + " greater than or equal to " + number(shape.least));
  }
  if (shape.type != Type::string) return all;
  const std::string_view text = value.get_string();
  if (!shape.values.empty() && std::ranges::find(shape.values, text) == shape.values.end()) {
    std::string set;
    for (const std::string_view one : shape.values) set.append(set.empty() ? "" : ", ").append(one);
    all.push_back("Member must satisfy enum value set: [" + set + "]");
  }
  if (shape.pattern != nullptr && !shape.pattern->fits(text)) {
    all.push_back("Member must satisfy regular expression pattern: " +
                  std::string(shape.pattern->shown()));
  }
  return all;
}

std::string joined(const std::vector<std::string>& texts, std::string_view between) {
  std::string out;
  for (const std::string& text : texts) {
    if (!out.empty()) out += between;
    out += text;
  }
  return out;
}

class Validator {
 public:
  void structure(const Shape& shape, const bj::object& object, const std::string& path) {
    for (const Member& member : shape.members) {
      if (full()) return;
      const bj::value* const value = object.if_contains(member.name);
      const std::string at = path + shown_name(member.name);
      if (value != nullptr) {
        if (!member.json) check(*member.shape, *value, at);
      } else if (member.required) {
        add("Value null at '" + at + "' failed to satisfy constraint: Member must not be null");
      }
    }
  }

  [[nodiscard]] std::optional<std::string> message() const {
    if (found_.empty()) return std::nullopt;
    return std::to_string(found_.size()) + " validation error" + (found_.size() > 1 ? "s" : "") +
           " detected: " + joined(found_, "; ");
  }

 private:
  [[nodiscard]] bool full() const { return found_.size() >= limits::validation_errors_max; }
  void add(std::string text) {
    if (!full()) found_.push_back(std::move(text));
  }
  void add(const Shape& shape, const bj::value& value, const std::string& at, std::string what) {
    add("Value '" + shown_value(shape, value) + "' at '" + at +
        "' failed to satisfy constraint: " + std::move(what));
  }

  void check(const Shape& shape, const bj::value& value, const std::string& at) {
    if (shape.type == Type::structure) return structure(shape, value.get_object(), at + '.');
    for (std::string& text : broken(shape, value)) add(shape, value, at, std::move(text));
    if (shape.type == Type::list) check_list(shape, value, at);
    if (shape.type == Type::map) check_map(shape, value, at);
  }

  // Elements of structures are looked into; what the others break is told once for all.
  void check_list(const Shape& shape, const bj::value& list, const std::string& at) {
    std::size_t index = 0;
    for (const bj::value& one : list.get_array()) {
      if (full()) return;
      ++index;
      if (shape.element->type <= Type::map) {
        check(*shape.element, one, at + '.' + std::to_string(index) + ".member");
        continue;
      }
      const auto wrong = broken(*shape.element, one);
      if (wrong.empty()) continue;
      return add(shape, list, at, "Member must satisfy constraint: [" + joined(wrong, ", ") + "]");
    }
  }

  void check_map(const Shape& shape, const bj::value& map, const std::string& at) {
    for (const auto& [key, one] : map.get_object()) {
      if (full()) return;
      const auto wrong_key = broken(*shape.key, bj::value(bj::string(key)));
      if (!wrong_key.empty()) {
        return add(shape, map, at,
                   "Map keys must satisfy constraint: [" + joined(wrong_key, ", ") + "]");
      }
      if (shape.element->type <= Type::map) {
        check(*shape.element, one, at + '.' + std::string(key) + ".member");
        continue;
      }
      const auto wrong = broken(*shape.element, one);
      if (wrong.empty()) continue;
      return add(shape, map, at,
                 "Map value must satisfy constraint: [" + joined(wrong, ", ") + "]");
    }
  }

  std::vector<std::string> found_;
};

}  // namespace

std::optional<std::string> validate(const Shape& shape, const json::Value& input) {
  Validator validator;
  validator.structure(shape, input.get_object(), "");
  return validator.message();
}

}  // namespace gnomon::api
