// The query protocol's form: "Tags.member.1.Key=a", "Map.entry.1.key=b". Sorted by name, everything
// that begins with a prefix stands together, so reading costs what is there, not what could be.
#include <algorithm>
#include <charconv>
#include <map>
#include <span>

#include <boost/json.hpp>

#include "api/values.h"
#include "base/limits.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;
using Sorted = std::span<const Parameter* const>;

std::string_view name_of(const Parameter* parameter) { return parameter->name; }

// Those named `prefix` itself or something below it ("prefix.…"), which stand at its beginning.
struct Range {
  const Parameter* itself = nullptr;
  Sorted below;
};

Range narrow(Sorted all, const std::string& prefix) {
  Range range;
  const auto first = std::ranges::lower_bound(all, std::string_view(prefix), {}, name_of);
  if (first != all.end() && (*first)->name == prefix) range.itself = *first;
  const std::string from = prefix + '.', to = prefix + '/';  // '/' follows '.'
  const auto begin = std::ranges::lower_bound(all, std::string_view(from), {}, name_of);
  const auto end = std::ranges::lower_bound(all, std::string_view(to), {}, name_of);
  range.below = {begin, end};
  return range;
}

class Reader {
 public:
  // Of all the parameters that begin with `prefix`.
  Trouble read(const Shape& shape, const Range& range, const std::string& prefix, bj::value& out,
               int depth) {
    if (depth > limits::json_depth_max) return "The form is nested too deep.";
    switch (shape.type) {
      case Type::structure:
        return structure(shape, range.below, prefix + '.', out, depth);
      case Type::list:
        return list(shape, range, prefix, out, depth);
      case Type::map:
        return map(shape, range, prefix, out, depth);
      default:
        if (range.itself == nullptr) return "'" + prefix + "' has no value of its own.";
        return from_text(shape, range.itself->value, prefix, out);
    }
  }

  Trouble structure(const Shape& shape, Sorted below, const std::string& prefix, bj::value& out,
                    int depth) {
    bj::object made;
    for (const Member& member : shape.members) {
      const std::string name = prefix + std::string(member.wire);
      const Range range = narrow(below, name);
      if (range.itself == nullptr && range.below.empty()) continue;
      bj::value value;
      if (auto trouble = read(*member.shape, range, name, value, depth + 1)) return trouble;
      made.emplace(member.name, std::move(value));
    }
    out = std::move(made);
    return std::nullopt;
  }

 private:
  // The numbers that follow "prefix.": in their order, each once.
  static Trouble indices(Sorted below, const std::string& prefix, std::map<int, std::string>& out) {
    for (const Parameter* parameter : below) {
      const std::string_view rest = std::string_view(parameter->name).substr(prefix.size() + 1);
      const std::string_view digits = rest.substr(0, rest.find('.'));
      int index = 0;
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), index);
      if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || index < 1 ||
          digits[0] == '0') {
        return "'" + parameter->name + "' is not numbered from 1.";
      }
      out.emplace(index, prefix + '.' + std::string(digits));
    }
    return std::nullopt;
  }

  Trouble list(const Shape& shape, const Range& whole, const std::string& name, bj::value& out,
               int depth) {
    bj::array made;
    const std::string prefix =
        shape.flattened ? name : name + '.' + std::string(shape.element_wire);
    const Range range = shape.flattened ? whole : narrow(whole.below, prefix);
    std::map<int, std::string> numbered;
    if (auto trouble = indices(range.below, prefix, numbered)) return trouble;
    for (const auto& [index, element] : numbered) {
      auto trouble = read(*shape.element, narrow(range.below, element), element,
                          made.emplace_back(nullptr), depth + 1);
      if (trouble) return trouble;
    }
    out = std::move(made);
    return std::nullopt;
  }

  Trouble map(const Shape& shape, const Range& whole, const std::string& name, bj::value& out,
              int depth) {
    bj::object made;
    const std::string prefix = shape.flattened ? name : name + ".entry";
    const Range range = shape.flattened ? whole : narrow(whole.below, prefix);
    std::map<int, std::string> numbered;
    if (auto trouble = indices(range.below, prefix, numbered)) return trouble;
    for (const auto& [index, entry] : numbered) {
      const Range parts = narrow(range.below, entry);
      const Range key = narrow(parts.below, entry + ".key");
      const std::string at = entry + ".value";
      if (key.itself == nullptr) return "'" + entry + ".key' is missing.";
      bj::value value;
      auto trouble = read(*shape.element, narrow(parts.below, at), at, value, depth + 1);
      if (trouble) return trouble;
      if (!made.emplace(key.itself->value, std::move(value)).second) {
        return "'" + key.itself->value + "' is twice in '" + name + "'.";
      }
    }
    out = std::move(made);
    return std::nullopt;
  }
};

}  // namespace

Trouble from_form(const Shape& shape, const std::vector<Parameter>& parameters, json::Value& out) {
  std::vector<const Parameter*> sorted;
  sorted.reserve(parameters.size());
  for (const Parameter& parameter : parameters) sorted.push_back(&parameter);
  std::ranges::sort(sorted, {}, name_of);
  const auto twice = std::ranges::adjacent_find(sorted, {}, name_of);
  if (twice != sorted.end()) return "'" + (*twice)->name + "' was sent twice.";
  return Reader().structure(shape, sorted, "", out, 0);
}

}  // namespace gnomon::api
