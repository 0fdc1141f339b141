#include "api/to_wire.h"

#include <algorithm>
#include <stdexcept>

#include <boost/json.hpp>

#include "api/dates.h"
#include "base/bytes.h"
#include "crypto/base64.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

bool fits(Type type, const bj::value& value) {
  switch (type) {
    case Type::structure:
    case Type::map:
      return value.is_object();
    case Type::list:
      return value.is_array();
    case Type::string:
    case Type::blob:
      return value.is_string();
    case Type::boolean:
      return value.is_bool();
    case Type::number:
      return value.is_number();
    case Type::integer:
    case Type::timestamp:
      break;
  }
  return value.is_int64() || (value.is_uint64() && value.get_uint64() <= INT64_MAX);
}

void expect(const Shape& shape, const bj::value& value) {
  if (fits(shape.type, value)) return;
  throw std::logic_error("an output has a value of a wrong type for " + std::string(shape.name));
}

void expect_members(const Shape& shape, const bj::object& object) {
  for (const auto& [key, value] : object) {
    if (std::ranges::find(shape.members, std::string_view(key), &Member::name) ==
        shape.members.end()) {
      throw std::logic_error(std::string(shape.name) + " has no member '" + std::string(key) + "'");
    }
  }
}

std::string base64_of(const bj::value& value) {
  return crypto::base64(as_bytes(std::string_view(value.get_string())));
}

bj::value json_of(const Shape& shape, const bj::value& value) {
  if (shape.type == Type::structure) return to_json(shape, value);
  expect(shape, value);
  switch (shape.type) {
    case Type::list: {
      bj::array out;
      for (const bj::value& one : value.get_array()) out.push_back(json_of(*shape.element, one));
      return out;
    }
    case Type::map: {
      bj::object out;
      for (const auto& [key, one] : value.get_object()) {
        out.emplace(key, json_of(*shape.element, one));
      }
      return out;
    }
    case Type::blob:
      return bj::value(bj::string(base64_of(value)));
    case Type::timestamp: {  // seconds
      const auto ms = value.to_number<std::int64_t>();
      if (ms % 1000 == 0) return ms / 1000;
      return static_cast<double>(ms) / 1000;
    }
    default:
      return value;
  }
}

void append_element(std::string& out, std::string_view name, const Shape& shape,
                    const bj::value& value);

void append_list(std::string& out, std::string_view name, const Shape& shape,
                 const bj::array& list) {
  if (!shape.flattened) out.append("<").append(name).append(">");
  const std::string_view element = shape.flattened ? name : shape.element_wire;
  for (const bj::value& one : list) append_element(out, element, *shape.element, one);
  if (!shape.flattened) out.append("</").append(name).append(">");
}

void append_map(std::string& out, std::string_view name, const Shape& shape,
                const bj::object& map) {
  if (!shape.flattened) out.append("<").append(name).append(">");
  const std::string_view entry = shape.flattened ? name : "entry";
  for (const auto& [key, one] : map) {
    out.append("<").append(entry).append("><key>");
    append_xml_text(out, key);
    out += "</key>";
    append_element(out, "value", *shape.element, one);
    out.append("</").append(entry).append(">");
  }
  if (!shape.flattened) out.append("</").append(name).append(">");
}

void append_element(std::string& out, std::string_view name, const Shape& shape,
                    const bj::value& value) {
  expect(shape, value);
  if (shape.type == Type::list) return append_list(out, name, shape, value.get_array());
  if (shape.type == Type::map) return append_map(out, name, shape, value.get_object());
  out.append("<").append(name).append(">");
  if (shape.type == Type::structure) {
    to_xml(out, shape, value);
  } else {
    append_xml_text(out, to_text(shape, value));
  }
  out.append("</").append(name).append(">");
}

}  // namespace

json::Value to_json(const Shape& shape, const json::Value& value) {
  expect(shape, value);
  expect_members(shape, value.get_object());
  bj::object out;
  for (const Member& member : shape.members) {
    const bj::value* const one = value.get_object().if_contains(member.name);
    if (member.location != Location::body || one == nullptr || one->is_null()) continue;
    out.emplace(member.wire, json_of(*member.shape, *one));
  }
  return out;
}

void to_xml(std::string& out, const Shape& shape, const json::Value& value) {
  expect(shape, value);
  expect_members(shape, value.get_object());
  for (const Member& member : shape.members) {
    const bj::value* const one = value.get_object().if_contains(member.name);
    if (one == nullptr || one->is_null()) continue;
    append_element(out, member.wire, *member.shape, *one);
  }
}

void append_xml_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\r':  // a parser would make a line feed of it
        out += "&#xD;";
        break;
      case '\t':
      case '\n':
        out += c;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\xEF\xBF\xBD";
        } else {
          out += c;
        }
    }
  }
}

std::string to_text(const Shape& shape, const json::Value& value) {
  expect(shape, value);
  switch (shape.type) {
    case Type::string:
      return std::string(value.get_string());
    case Type::blob:
      return base64_of(value);
    case Type::timestamp:
      return iso_date({value.to_number<std::int64_t>()});
    case Type::boolean:
    case Type::integer:
    case Type::number:
      return json::write(value);
    default:
      throw std::logic_error(std::string(shape.name) + " has no text");
  }
}

}  // namespace gnomon::api
