#include "shadow/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include <boost/json.hpp>

#include "base/json_text.h"

namespace gnomon::shadow {

namespace bj = boost::json;

namespace {

using Pair = bj::key_value_pair;

std::string_view name_of(const Pair& pair) { return {pair.key().data(), pair.key().size()}; }

std::vector<const Pair*> sorted(const bj::object& object) {
  std::vector<const Pair*> pairs;
  pairs.reserve(object.size());
  for (const Pair& pair : object) pairs.push_back(&pair);
  std::ranges::sort(pairs, {}, [](const Pair* pair) { return name_of(*pair); });
  return pairs;
}

// False: the field is to be taken away.
bool set(Field& field, const bj::value& value, Seconds now) {
  if (value.is_null()) return false;
  if (const bj::object* object = value.if_object()) {
    field.value.clear();
    merge(field, *object, now);
    return !field.members.empty();
  }
  field.members.clear();
  field.value.clear();
  json::write(field.value, value);
  field.at = now;
  return true;
}

void append_number(std::string& out, std::uint64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_time(std::string& out, Seconds at) {
  out += R"({"timestamp":)";
  append_number(out, at);
  out += '}';
}

// The metadata of a value that is an array or an object in one.
void append_times(std::string& out, const bj::value& value, Seconds at) {
  if (const bj::array* array = value.if_array()) {
    out += '[';
    for (const bj::value& entry : *array) {
      if (&entry != array->data()) out += ',';
      append_times(out, entry, at);
    }
    out += ']';
  } else if (const bj::object* object = value.if_object()) {
    out += '{';
    for (bool first = true; const Pair& pair : *object) {
      if (!std::exchange(first, false)) out += ',';
      append_json(out, name_of(pair));
      out += ':';
      append_times(out, pair.value(), at);
    }
    out += '}';
  } else {
    append_time(out, at);
  }
}

// Of a field that is a value.
void append_times(std::string& out, const Field& field) {
  if (field.value.front() != '[') return append_time(out, field.at);
  // It was written by json::write(): what reads it must take what the request was let to hold.
  const auto array = json::parse(field.value, {.bytes_max = field.value.size()});
  if (array)
    append_times(out, *array, field.at);
  else
    append_time(out, field.at);
}

template <class Append>
void append_object(std::string& out, const std::vector<Field>& fields, const Append& append) {
  out += '{';
  for (const Field& field : fields) {
    if (&field != fields.data()) out += ',';
    append_json(out, field.name);
    out += ':';
    append(field);
  }
  out += '}';
}

bool is_number(std::string_view value) {
  return value.front() == '-' || (value.front() >= '0' && value.front() <= '9');
}

// Numbers that 64 bits hold are exact, all others the nearest double.
struct Number {
  bool whole = false, negative = false;
  std::uint64_t magnitude = 0;
  double real = 0;
};
Number number_of(const bj::value& value) {
  Number number;
  if (value.is_uint64()) {
    number = {true, false, value.get_uint64(), 0};
  } else if (value.is_int64()) {
    const std::int64_t is = value.get_int64();
    number = {true, is < 0,
              is < 0 ? 0 - static_cast<std::uint64_t>(is) : static_cast<std::uint64_t>(is), 0};
  } else {
    number.real = value.get_double();
    const double size = std::abs(number.real);
    // 2^64, from which on no double is a whole number that we keep exactly.
    if (size < 18446744073709551616.0 && size == std::floor(size)) {
      number = {true, number.real < 0, static_cast<std::uint64_t>(size), number.real};
    }
  }
  return number;
}
bool same_number(const bj::value& one, const bj::value& other) {
  const Number a = number_of(one), b = number_of(other);
  if (a.whole != b.whole) return false;
  if (!a.whole) return a.real == b.real;
  return a.magnitude == b.magnitude && (a.negative == b.negative || a.magnitude == 0);
}

bool same(const bj::value& one, const bj::value& other) {
  if (one.is_number() && other.is_number()) return same_number(one, other);
  if (one.is_array() && other.is_array()) {
    const auto& a = one.get_array();
    const auto& b = other.get_array();
    return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return same(x, y); });
  }
  if (one.is_object() && other.is_object()) {
    const auto& a = one.get_object();
    const auto& b = other.get_object();
    return a.size() == b.size() && std::ranges::all_of(a, [&](const Pair& pair) {
             const bj::value* found = b.if_contains(pair.key());
             return found != nullptr && same(pair.value(), *found);
           });
  }
  return one == other;
}

bool same(const std::string& one, const std::string& other) {
  if (one == other) return true;
  // Equal only if they are written in two ways: numbers, and arrays with numbers or objects in
  // them.
  const bool numbers = is_number(one) && is_number(other);
  if (!numbers && (one.front() != '[' || other.front() != '[')) return false;
  const auto a = json::parse(one, {.bytes_max = one.size()});
  const auto b = json::parse(other, {.bytes_max = other.size()});
  return a && b && same(*a, *b);
}

const Field* find(const std::vector<Field>& fields, const std::string& name) {
  const auto at = std::ranges::lower_bound(fields, name, {}, &Field::name);
  return at != fields.end() && at->name == name ? &*at : nullptr;
}

}  // namespace

// Both are walked in the order of names: as long as the object and the request together, also for
// a thousand fields.
void merge(Field& into, const bj::object& request, Seconds now) {
  std::vector<Field> merged;
  merged.reserve(into.members.size() + request.size());
  auto old = into.members.begin();
  for (const Pair* pair : sorted(request)) {
    const std::string_view name = name_of(*pair);
    for (; old != into.members.end() && old->name < name; ++old) merged.push_back(std::move(*old));
    Field field;
    if (old != into.members.end() && old->name == name) {
      field = std::move(*old++);
    } else {
      field.name = name;
    }
    if (set(field, pair->value(), now)) merged.push_back(std::move(field));
  }
  merged.insert(merged.end(), std::make_move_iterator(old),
                std::make_move_iterator(into.members.end()));
  into.members = std::move(merged);
}

void write_state(const Field& field, std::string& out) {
  if (!field.is_object()) {
    out += field.value;
    return;
  }
  append_object(out, field.members, [&](const Field& each) { write_state(each, out); });
}

void write_metadata(const Field& field, std::string& out) {
  if (!field.is_object()) return append_times(out, field);
  append_object(out, field.members, [&](const Field& each) { write_metadata(each, out); });
}

void write_metadata(const json::Value& request, Seconds now, std::string& out) {
  append_times(out, request, now);
}

bool differs(const Field& desired, const Field& reported) {
  return std::ranges::any_of(desired.members, [&](const Field& field) {
    const Field* is = find(reported.members, field.name);
    if (is == nullptr || field.is_object() != is->is_object()) return true;
    return field.is_object() ? differs(field, *is) : !same(field.value, is->value);
  });
}

bool write_difference(const Field& desired, const Field& reported, std::string& state,
                      std::string& metadata) {
  const std::size_t state_before = state.size(), metadata_before = metadata.size();
  bool any = false;
  state += '{';
  metadata += '{';
  for (const Field& field : desired.members) {
    const Field* is = find(reported.members, field.name);
    const std::size_t state_at = state.size(), metadata_at = metadata.size();
    for (std::string* out : {&state, &metadata}) {
      if (any) *out += ',';
      append_json(*out, field.name);
      *out += ':';
    }
    bool differs = true;
    if (is != nullptr && field.is_object() && is->is_object()) {
      differs = write_difference(field, *is, state, metadata);
    } else if (is != nullptr && !field.is_object() && !is->is_object() &&
               same(field.value, is->value)) {
      differs = false;
    } else {
      write_state(field, state);
      write_metadata(field, metadata);
    }
    if (differs) {
      any = true;
    } else {
      state.resize(state_at);
      metadata.resize(metadata_at);
    }
  }
  if (!any) {
    state.resize(state_before);
    metadata.resize(metadata_before);
    return false;
  }
  state += '}';
  metadata += '}';
  return true;
}

}  // namespace gnomon::shadow
