#include "provisioning/expression.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <boost/json.hpp>

#include "base/limits.h"
#include "crypto/base64.h"

namespace gnomon::provisioning {

namespace {

namespace bj = boost::json;
using Kind = Expression::Kind;

Error wrong(std::string message) { return {Code::invalid, std::move(message)}; }

// ---- reading

class Reading {
 public:
  explicit Reading(const std::set<std::string>& declared) : declared_(declared) {}

  Result<Expression> read(const bj::value& value) const {
    if (value.is_string()) return literal(value.get_string());
    if (value.is_array()) return read_list(value.get_array());
    if (value.is_object()) return read_function(value.get_object());
    return wrong("expected a text, a list or a function, found " + json::write(value));
  }

 private:
  static Expression literal(std::string_view text) { return {Kind::text, std::string(text), {}}; }

  Result<Expression> read_list(const bj::array& array) const {
    Expression list{Kind::list, "", {}};
    for (const bj::value& one : array) {
      auto entry = read(one);
      if (!entry) return entry;
      if (entry->kind == Kind::list || entry->kind == Kind::split)
        return wrong("a list in a list: its entries must be texts");
      list.arguments.push_back(std::move(*entry));
    }
    return list;
  }

  Result<Expression> read_function(const bj::object& object) const {
    if (object.size() != 1) {
      return wrong("expected a text, a list or one function, found an object of " +
                   std::to_string(object.size()) + " members");
    }
    const std::string name(object.begin()->key());
    const bj::value& argument = object.begin()->value();
    if (name == "Ref") return read_ref(argument);
    if (name == "Fn::Join") return read_join(argument);
    if (name == "Fn::Select") return read_select(argument);
    if (name == "Fn::FindInMap") return read_find_in_map(argument);
    if (name == "Fn::Split") return read_split(argument);
    if (name == "Fn::Sub") return read_sub(argument);
    if (name == "Fn::Base64") return read_base64(argument);
    return wrong(name +
                 " is no function (expected Ref, Fn::Join, Fn::Select, Fn::FindInMap, Fn::Split, "
                 "Fn::Sub or Fn::Base64)");
  }

  Result<Expression> ref(std::string_view function, std::string_view parameter) const {
    std::string name(parameter);
    if (!declared_.contains(name)) {
      return wrong(std::string(function) + " names the parameter " + name +
                   ", which Parameters does not declare");
    }
    return Expression{Kind::ref, std::move(name), {}};
  }
  Result<Expression> read_ref(const bj::value& argument) const {
    if (!argument.is_string()) return wrong("Ref expects the name of a parameter");
    return ref("Ref", argument.get_string());
  }

  Result<Expression> read_join(const bj::value& argument) const {
    const auto* pair = list_of(argument, 2);
    if (pair == nullptr || !pair->at(0).is_string())
      return wrong("Fn::Join expects [delimiter, list]");
    auto list = read(pair->at(1));
    if (!list) return list;
    return Expression{Kind::join, std::string(pair->at(0).get_string()), {std::move(*list)}};
  }

  Result<Expression> read_select(const bj::value& argument) const {
    const auto* pair = list_of(argument, 2);
    if (pair == nullptr) return wrong("Fn::Select expects [index, list]");
    const bj::value& at = pair->at(0);
    auto index =
        at.is_int64() ? Result<Expression>(literal(std::to_string(at.get_int64()))) : read(at);
    if (!index) return index;
    auto list = read(pair->at(1));
    if (!list) return list;
    return Expression{Kind::select, "", {std::move(*index), std::move(*list)}};
  }

  Result<Expression> read_find_in_map(const bj::value& argument) const {
    const auto* three = list_of(argument, 3);
    if (three == nullptr) return wrong("Fn::FindInMap expects [mapping, first key, second key]");
    Expression find{Kind::find_in_map, "", {}};
    for (const bj::value& one : *three) {
      auto key = read(one);
      if (!key) return key;
      find.arguments.push_back(std::move(*key));
    }
    return find;
  }

  Result<Expression> read_split(const bj::value& argument) const {
    const auto* pair = list_of(argument, 2);
    if (pair == nullptr || !pair->at(0).is_string() || pair->at(0).get_string().empty())
      return wrong(
          "Fn::Split expects [delimiter, text], with a delimiter of one character or more");
    auto text = read(pair->at(1));
    if (!text) return text;
    return Expression{Kind::split, std::string(pair->at(0).get_string()), {std::move(*text)}};
  }

  Result<Expression> read_base64(const bj::value& argument) const {
    auto text = read(argument);
    if (!text) return text;
    return Expression{Kind::base64, "", {std::move(*text)}};
  }

  // "…${Name}…", or [that, {"Name": value}]. `${!Name}` is the text `${Name}`.
  Result<Expression> read_sub(const bj::value& argument) const {
    const auto* pair = list_of(argument, 2);
    const bj::value* text = pair == nullptr ? &argument : &pair->at(0);
    if (!text->is_string() || (pair != nullptr && !pair->at(1).is_object()))
      return wrong("Fn::Sub expects a text, or [text, {name: value}]");
    std::map<std::string, Expression> own;
    if (pair != nullptr) {
      for (const auto& [name, value] : pair->at(1).get_object()) {
        auto read_value = read(value);
        if (!read_value) return read_value;
        own.emplace(name, std::move(*read_value));
      }
    }
    Expression parts{Kind::list, "", {}};
    std::string_view rest = text->get_string();
    for (std::size_t at = 0; (at = rest.find("${")) != std::string_view::npos;) {
      const std::size_t end = rest.find('}', at);
      if (end == std::string_view::npos) return wrong("Fn::Sub: a variable does not end: ${…}");
      parts.arguments.push_back(literal(rest.substr(0, at)));
      const std::string name(rest.substr(at + 2, end - at - 2));
      auto part =
          name.starts_with('!') ? literal("${" + name.substr(1) + '}') : variable(name, own);
      if (!part) return part;
      parts.arguments.push_back(std::move(*part));
      rest.remove_prefix(end + 1);
    }
    parts.arguments.push_back(literal(rest));
    return Expression{Kind::join, "", {std::move(parts)}};
  }
  // A variable of the function's own is a copy of its value: with functions in functions they
  // could double and double again, so copies are counted.
  Result<Expression> variable(const std::string& name,
                              const std::map<std::string, Expression>& own) const {
    const auto at = own.find(name);
    if (at == own.end()) return ref("Fn::Sub", name);
    copied_ += count(at->second);
    if (copied_ <= limits::template_copies_max) return at->second;
    return wrong("Fn::Sub: its variables are used too often");
  }
  static std::size_t count(const Expression& of) {
    std::size_t all = 1;
    for (const Expression& argument : of.arguments) all += count(argument);
    return all;
  }

  static const bj::array* list_of(const bj::value& value, std::size_t size) {
    const bj::array* array = value.if_array();
    return array != nullptr && array->size() == size ? array : nullptr;
  }

  const std::set<std::string>& declared_;
  mutable std::size_t copied_ = 0;  // expressions
};

// ---- evaluating

class Evaluation {
 public:
  Evaluation(const Parameters& parameters, const Mappings& mappings)
      : parameters_(parameters), mappings_(mappings) {}

  Result<Value> run(const Expression& of) const {
    switch (of.kind) {
      case Kind::text:
        return Value(of.text);
      case Kind::ref:
        return ref(of.text);
      case Kind::list:
        return list(of);
      case Kind::join:
        return join(of);
      case Kind::select:
        return select(of);
      case Kind::find_in_map:
        return find_in_map(of);
      case Kind::split:
        return split(of);
      case Kind::base64:
        return base64(of);
    }
    return wrong("no such function");
  }

  Result<std::string> text(const Expression& of) const {
    auto value = run(of);
    if (!value) return value.error();
    if (auto* found = std::get_if<std::string>(&*value)) return std::move(*found);
    return wrong("expected a text, found a list");
  }
  Result<Texts> texts(const Expression& of) const {
    auto value = run(of);
    if (!value) return value.error();
    if (auto* found = std::get_if<Texts>(&*value)) return std::move(*found);
    return wrong("expected a list, found a text");
  }

 private:
  static Error too_long() {
    return wrong("a value is longer than " + std::to_string(limits::template_value_bytes_max) +
                 " bytes");
  }
  static Result<Value> bounded(std::string text) {
    if (text.size() <= limits::template_value_bytes_max) return Value(std::move(text));
    return too_long();
  }

  Result<Value> ref(const std::string& name) const {
    const auto at = parameters_.find(name);
    if (at == parameters_.end()) return wrong("the parameter " + name + " has no value");
    return bounded(at->second);
  }

  Result<Value> list(const Expression& of) const {
    Texts entries;
    std::size_t bytes = 0;
    for (const Expression& one : of.arguments) {
      auto entry = text(one);
      if (!entry) return entry.error();
      bytes += entry->size();
      if (bytes > limits::template_value_bytes_max) return too_long();
      entries.push_back(std::move(*entry));
    }
    return Value(std::move(entries));
  }

  Result<Value> join(const Expression& of) const {
    const auto entries = texts(of.arguments[0]);
    if (!entries) return wrong("Fn::Join: " + entries.error().message);
    std::string joined;
    for (std::size_t i = 0; i < entries->size(); ++i) {
      if (i > 0) joined += of.text;
      joined += (*entries)[i];
      if (joined.size() > limits::template_value_bytes_max) break;
    }
    return bounded(std::move(joined));
  }

  Result<Value> select(const Expression& of) const {
    const auto index = text(of.arguments[0]);
    if (!index) return wrong("Fn::Select: the index: " + index.error().message);
    auto entries = texts(of.arguments[1]);
    if (!entries) return wrong("Fn::Select: " + entries.error().message);
    std::size_t at = 0;
    const char* end = index->data() + index->size();
    const auto read = std::from_chars(index->data(), end, at);
    if (read.ec != std::errc() || read.ptr != end)
      return wrong("Fn::Select: the index must be a whole number from 0 on, not " + *index);
    if (at >= entries->size()) {
      return wrong("Fn::Select: there is no entry " + *index + " in a list of " +
                   std::to_string(entries->size()));
    }
    return Value(std::move((*entries)[at]));
  }

  Result<Value> find_in_map(const Expression& of) const {
    std::array<std::string, 3> names;
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto name = text(of.arguments[i]);
      if (!name) return wrong("Fn::FindInMap: " + name.error().message);
      names[i] = std::move(*name);
    }
    const auto missing = [&](std::string_view what, const std::string& name) {
      return wrong("Fn::FindInMap: " + std::string(what) + ' ' + name);
    };
    const auto mapping = mappings_.find(names[0]);
    if (mapping == mappings_.end()) return missing("there is no mapping", names[0]);
    const auto first = mapping->second.find(names[1]);
    if (first == mapping->second.end())
      return missing("the mapping " + names[0] + " has no key", names[1]);
    const auto second = first->second.find(names[2]);
    if (second == first->second.end())
      return missing("the mapping " + names[0] + " has under " + names[1] + " no key", names[2]);
    return second->second;
  }

  Result<Value> split(const Expression& of) const {
    const auto whole = text(of.arguments[0]);
    if (!whole) return wrong("Fn::Split: " + whole.error().message);
    Texts parts;
    std::size_t from = 0;
    for (std::size_t at = 0; (at = whole->find(of.text, from)) != std::string::npos;
         from = at + of.text.size())
      parts.push_back(whole->substr(from, at - from));
    parts.push_back(whole->substr(from));
    return Value(std::move(parts));
  }

  Result<Value> base64(const Expression& of) const {
    const auto plain = text(of.arguments[0]);
    if (!plain) return wrong("Fn::Base64: " + plain.error().message);
    return bounded(crypto::base64(as_bytes(*plain)));
  }

  const Parameters& parameters_;
  const Mappings& mappings_;
};

}  // namespace

Result<Expression> read_expression(const json::Value& value,
                                   const std::set<std::string>& declared) {
  return Reading(declared).read(value);
}

Result<Value> evaluate(const Expression& expression, const Parameters& parameters,
                       const Mappings& mappings) {
  return Evaluation(parameters, mappings).run(expression);
}

Result<std::string> evaluate_text(const Expression& expression, const Parameters& parameters,
                                  const Mappings& mappings) {
  return Evaluation(parameters, mappings).text(expression);
}

Result<Texts> evaluate_list(const Expression& expression, const Parameters& parameters,
                            const Mappings& mappings) {
  return Evaluation(parameters, mappings).texts(expression);
}

}  // namespace gnomon::provisioning
