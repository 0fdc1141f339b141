// What a JSON document, a parameter or a header holds, as the shape wants it.
#include <charconv>
#include <cmath>

#include <boost/json.hpp>

#include "api/dates.h"
#include "api/values.h"
#include "base/utf8.h"
#include "crypto/base64.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

// As AWS's servers name what they found.
std::string_view token_of(const bj::value& value) {
  switch (value.kind()) {
    case bj::kind::string:
      return "STRING_VALUE";
    case bj::kind::bool_:
      return value.get_bool() ? "TRUE_VALUE" : "FALSE_VALUE";
    case bj::kind::null:
      return "NULL_VALUE";
    default:
      return "NUMBER_VALUE";
  }
}

std::string_view name_of(Type type) {
  switch (type) {
    case Type::string:
      return "String";
    case Type::blob:
      return "Blob";
    case Type::boolean:
      return "Boolean";
    case Type::integer:
      return "Long";
    case Type::number:
      return "Double";
    default:
      return "Timestamp";
  }
}

std::string at(const std::string& path) {
  return path.empty() ? std::string() : " at '" + path + "'";
}

std::string not_expected(const bj::value& value, const Shape& shape, const std::string& path) {
  if (value.is_object()) {
    return "Start of structure or map found where not expected" + at(path) + ".";
  }
  if (value.is_array()) return "Start of list found where not expected" + at(path) + ".";
  if (shape.type <= Type::map) return "Expected list or map" + at(path) + ".";
  return std::string(token_of(value)) + " cannot be converted to " +
         std::string(name_of(shape.type)) + at(path);
}

// Within 2^63 and without a fraction.
std::optional<std::int64_t> whole(const bj::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (!value.is_double()) return std::nullopt;
  const double number = value.get_double();
  if (std::trunc(number) != number || std::abs(number) > 9e18) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

constexpr double end_of_year_9999 = 253'402'300'800;  // in seconds

std::optional<std::int64_t> milliseconds(const bj::value& value) {
  if (value.is_string()) {
    const auto at = from_iso_date(value.get_string());
    return at ? std::optional(at->ms) : std::nullopt;
  }
  if (!value.is_number()) return std::nullopt;
  const double seconds = value.to_number<double>();
  if (!(seconds >= 0 && seconds < end_of_year_9999)) return std::nullopt;
  return std::llround(seconds * 1000);
}

Trouble structure(const Shape& shape, const bj::object& object, const std::string& path,
                  bj::value& out) {
  bj::object made;
  for (const Member& member : shape.members) {
    const bj::value* const value = object.if_contains(member.wire);
    if (value == nullptr || value->is_null()) continue;
    bj::value read;
    auto trouble = from_json(
        *member.shape, *value,
        path.empty() ? std::string(member.name) : path + '.' + std::string(member.name), read);
    if (trouble) return trouble;
    made.emplace(member.name, std::move(read));
  }
  out = std::move(made);
  return std::nullopt;
}

Trouble list(const Shape& shape, const bj::array& array, const std::string& path, bj::value& out) {
  bj::array made;
  made.reserve(array.size());
  for (const bj::value& value : array) {
    auto trouble = from_json(*shape.element, value, path, made.emplace_back(nullptr));
    if (trouble) return trouble;
  }
  out = std::move(made);
  return std::nullopt;
}

Trouble map(const Shape& shape, const bj::object& object, const std::string& path, bj::value& out) {
  bj::object made;
  for (const auto& [key, value] : object) {
    if (value.is_null()) continue;
    bj::value read;
    if (auto trouble = from_json(*shape.element, value, path, read)) return trouble;
    made.emplace(key, std::move(read));
  }
  out = std::move(made);
  return std::nullopt;
}

// Nothing: the value is no such thing.
std::optional<bj::value> scalar(Type type, const bj::value& value) {
  switch (type) {
    case Type::string:
      if (value.is_string()) return value;
      break;
    case Type::boolean:
      if (value.is_bool()) return value;
      break;
    case Type::integer:
      if (const auto number = whole(value)) return bj::value(*number);
      break;
    case Type::number:
      if (value.is_number()) return bj::value(value.to_number<double>());
      break;
    case Type::timestamp:
      if (const auto ms = milliseconds(value)) return bj::value(*ms);
      break;
    default: {
      if (!value.is_string()) break;
      const auto bytes = crypto::from_base64(value.get_string());
      if (bytes) return bj::value(bj::string(*bytes));
    }
  }
  return std::nullopt;
}

}  // namespace

Trouble from_json(const Shape& shape, const json::Value& value, const std::string& path,
                  json::Value& out) {
  if (shape.type == Type::structure && value.is_object()) {
    return structure(shape, value.get_object(), path, out);
  }
  if (shape.type == Type::list && value.is_array()) {
    return list(shape, value.get_array(), path, out);
  }
  if (shape.type == Type::map && value.is_object()) {
    return map(shape, value.get_object(), path, out);
  }
  if (shape.type > Type::map) {
    if (auto read = scalar(shape.type, value)) {
      out = std::move(*read);
      return std::nullopt;
    }
  }
  return not_expected(value, shape, path);
}

Trouble from_text(const Shape& shape, std::string_view text, const std::string& path,
                  json::Value& out) {
  const auto cannot = [&] {
    return "'" + std::string(text.substr(0, 64)) + "' cannot be converted to " +
           std::string(name_of(shape.type)) + at(path);
  };
  const char* const end = text.data() + text.size();
  if (!text.empty() && !is_mqtt_utf8(text)) return "The value is not UTF-8" + at(path);
  switch (shape.type) {
    case Type::string:
      out = bj::string(text);
      return std::nullopt;
    case Type::boolean:
      if (text != "true" && text != "false") return cannot();
      out = text == "true";
      return std::nullopt;
    case Type::integer: {
      std::int64_t number = 0;
      const auto read = std::from_chars(text.data(), end, number);
      if (read.ec != std::errc() || read.ptr != end) return cannot();
      out = number;
      return std::nullopt;
    }
    case Type::number: {
      double number = 0;
      const auto read = std::from_chars(text.data(), end, number);
      if (read.ec != std::errc() || read.ptr != end || !std::isfinite(number)) return cannot();
      out = number;
      return std::nullopt;
    }
    case Type::timestamp: {
      auto time = from_iso_date(text);
      if (!time) time = from_http_date(text);
      if (!time) return cannot();
      out = time->ms;
      return std::nullopt;
    }
    case Type::blob: {
      const auto bytes = crypto::from_base64(text);
      if (!bytes) return cannot();
      out = bj::string(*bytes);
      return std::nullopt;
    }
    default:
      return cannot();
  }
}

}  // namespace gnomon::api
