#include <charconv>
#include <cmath>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "json/json.h"

namespace gnomon::json {
namespace {

template <class Number>
void append_number(std::string& out, Number number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, end);
}

void append_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  const std::size_t begin = out.size();
  append_number(out, number);
  if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";
}

}  // namespace

// Recursive: as deep as the tree, which parse() bounds.
void write(std::string& out, const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      out += "null";
      break;
    case boost::json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      break;
    case boost::json::kind::int64:
      append_number(out, value.get_int64());
      break;
    case boost::json::kind::uint64:
      append_number(out, value.get_uint64());
      break;
    case boost::json::kind::double_:
      append_double(out, value.get_double());
      break;
    case boost::json::kind::string:
      append_json(out, value.get_string());
      break;
    case boost::json::kind::array: {
      char before = '[';
      for (const Value& element : value.get_array()) {
        out += before;
        write(out, element);
        before = ',';
      }
      out += value.get_array().empty() ? "[]" : "]";
      break;
    }
    case boost::json::kind::object: {
      char before = '{';
      for (const auto& [name, member] : value.get_object()) {
        out += before;
        append_json(out, name);
        out += ':';
        write(out, member);
        before = ',';
      }
      out += value.get_object().empty() ? "{}" : "}";
      break;
    }
  }
}

std::string write(const Value& value) {
  std::string out;
  write(out, value);
  return out;
}

}  // namespace gnomon::json
