// Values in provisioning templates: texts, lists, and the functions that make them (AWS IoT:
// "Provisioning templates", intrinsic functions). Pure. Internal to the module.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "json/json.h"

namespace gnomon::provisioning {

using Parameters = std::map<std::string, std::string>;
using Texts = std::vector<std::string>;
using Value = std::variant<std::string, Texts>;
// By mapping, first key, second key.
using Mappings = std::map<std::string, std::map<std::string, std::map<std::string, Value>>>;

// Expression: a value, or how it comes about. A value type.
struct Expression {
  enum class Kind : std::uint8_t {
    text,         // `text`
    list,         // of the arguments, each a text
    ref,          // the parameter `text`
    join,         // the texts of the list arguments[0], `text` between; Fn::Sub is one, too
    select,       // entry arguments[0] of the list arguments[1]
    find_in_map,  // mapping, first key, second key
    split,        // the text arguments[0], at each `text`
    base64,       // arguments[0]
  };
  Kind kind = Kind::text;
  std::string text;
  std::vector<Expression> arguments;
};

// Reads a text, a list, or an object of one function. `declared`: the parameters that Ref and
// Fn::Sub may name. Errors: invalid (something else, an unknown function, arguments that it does
// not take, a parameter that is not declared).
Result<Expression> read_expression(const json::Value& value, const std::set<std::string>& declared);

// `parameters` has a value for each that was declared. Errors: invalid (a text where a list is
// expected, or the reverse; an entry or key that is not there; longer than
// limits::template_value_bytes_max).
Result<Value> evaluate(const Expression& expression, const Parameters& parameters,
                       const Mappings& mappings);
Result<std::string> evaluate_text(const Expression& expression, const Parameters& parameters,
                                  const Mappings& mappings);
Result<Texts> evaluate_list(const Expression& expression, const Parameters& parameters,
                            const Mappings& mappings);

}  // namespace gnomon::provisioning
