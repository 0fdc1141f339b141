#include "shadow/indexing.h"

#include <algorithm>
#include <set>
#include <utility>

#include <boost/json.hpp>

#include "index/configuration.h"

namespace gnomon::shadow {

namespace {

namespace bj = boost::json;

constexpr std::string_view delta_name = "hasDelta";

// The value of a scalar as json::write() has it. Calls take(const index::Value&).
template <class Take>
void take_scalar(std::string_view text, Take&& take) {
  if (text.front() == '"') {
    if (text.find('\\') == std::string_view::npos)
      return take(index::text_value(text.substr(1, text.size() - 2)));
    const auto read = json::parse(text, {.bytes_max = text.size()});
    if (read && read->is_string()) take(index::text_value(std::string_view(read->get_string())));
    return;
  }
  if (const auto number = index::number_of(text)) return take(index::number_value(*number));
  if (text != "null") take(index::text_value(text));
}

// The values of a field that is no object.
template <class Take>
void take_values(const std::string& value, Take&& take) {
  if (value.front() != '[') return take_scalar(value, take);
  const auto array = json::parse(value, {.bytes_max = value.size()});
  if (!array || !array->is_array()) return;
  for (const bj::value& entry : array->get_array())
    if (!entry.is_object() && !entry.is_array()) take_scalar(json::write(entry), take);
}

// Path: a name of a field that grows and shrinks with the way to it.
class Path {
 public:
  explicit Path(std::string begin) : text_(std::move(begin)) {}
  // Calls `function` while `name` is appended.
  template <class F>
  void with(std::string_view name, F&& function) {
    const std::size_t size = text_.size();
    if (size > 0 && text_.back() != '.') text_ += '.';
    text_ += name;
    function();
    text_.resize(size);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

template <class Take>
void take_leaves(const Field& field, Path& path, Take&& take) {
  if (!field.is_object()) {
    take_values(field.value, [&](const index::Value& value) { take(path.text(), value); });
    return;
  }
  for (const Field& each : field.members)
    path.with(each.name, [&] { take_leaves(each, path, take); });
}

// ---- postings

// Difference: what leaves one tree and what comes with the other, in one walk along both. Two
// fields can only have the same path if a name has a dot in it: then it says so, and is not to be
// used.
class Difference {
 public:
  Difference(const Address& address, std::vector<store::Operation>& operations)
      : thing_(address.thing), path_(index::shadow_prefix(address.name)), out_(operations) {}

  void walk(std::string_view name, const Field& before, const Field& after) {
    path_.with(name, [&] { differ(&before, &after); });
  }
  [[nodiscard]] bool ambiguous() const { return dotted_; }

 private:
  void differ(const Field* before, const Field* after) {
    const bool was_object = before != nullptr && before->is_object();
    const bool is_object = after != nullptr && after->is_object();
    if (was_object && is_object) return walk_members(before->members, after->members);
    if (before != nullptr && after != nullptr && !was_object && !is_object &&
        before->value == after->value) {
      return;
    }
    if (before != nullptr) take(*before, false);
    if (after != nullptr) take(*after, true);
  }
  void walk_members(const std::vector<Field>& before, const std::vector<Field>& after) {
    auto old = before.begin();
    auto now = after.begin();
    while (old != before.end() || now != after.end()) {
      const int order = old == before.end()  ? 1
                        : now == after.end() ? -1
                                             : old->name.compare(now->name);
      const Field& first = order <= 0 ? *old : *now;
      dotted_ = dotted_ || first.name.find('.') != std::string::npos;
      path_.with(first.name,
                 [&] { differ(order <= 0 ? &*old : nullptr, order >= 0 ? &*now : nullptr); });
      if (order <= 0) ++old;
      if (order >= 0) ++now;
    }
  }
  void take(const Field& field, bool comes) {
    take_leaves(field, path_, [&](const std::string& path, const index::Value& value) {
      if (!index::has_postings(path)) return;
      std::string posting = index::posting(path, value, thing_);
      if (comes) {
        out_.emplace_back(store::Put{std::move(posting), ""});
      } else {
        out_.emplace_back(store::Erase{std::move(posting)});
      }
    });
    dotted_ = dotted_ || has_dot(field);
  }
  static bool has_dot(const Field& field) {
    return std::ranges::any_of(field.members, [](const Field& each) {
      return each.name.find('.') != std::string::npos || has_dot(each);
    });
  }

  const std::string& thing_;
  Path path_;
  std::vector<store::Operation>& out_;
  bool dotted_ = false;
};

std::set<std::string> postings_of(const Address& address, const Document& document) {
  std::set<std::string> postings;
  Path path(index::shadow_prefix(address.name));
  each_section(document, [&](std::string_view name, const Field& section) {
    path.with(name, [&] {
      take_leaves(section, path, [&](const std::string& field, const index::Value& value) {
        if (index::has_postings(field))
          postings.insert(index::posting(field, value, address.thing));
      });
    });
  });
  return postings;
}

void index_sections(const Address& address, const Document& before, const Document& after,
                    std::vector<store::Operation>& operations) {
  const std::size_t begin = operations.size();
  Difference difference(address, operations);
  difference.walk("desired", before.desired, after.desired);
  difference.walk("reported", before.reported, after.reported);
  if (!difference.ambiguous()) return;
  operations.resize(begin);
  const auto old = postings_of(address, before), now = postings_of(address, after);
  for (const std::string& posting : old)
    if (!now.contains(posting)) operations.emplace_back(store::Erase{posting});
  for (const std::string& posting : now)
    if (!old.contains(posting)) operations.emplace_back(store::Put{posting, ""});
}

std::string delta_posting(const Address& address, bool differs) {
  return index::posting(index::shadow_prefix(address.name).append(delta_name),
                        index::text_value(differs ? "true" : "false"), address.thing);
}

// ---- values

// The fields whose path is `rest` from here on: more than one if names have dots in them.
template <class Take>
void find_fields(const Field& field, std::string_view rest, Take&& take) {
  if (rest.empty()) return take(field);
  for (const Field& each : field.members) {
    if (!rest.starts_with(each.name)) continue;
    const std::string_view behind = rest.substr(each.name.size());
    if (behind.empty()) {
      take(each);
    } else if (behind.front() == '.' && behind.size() > 1) {
      find_fields(each, behind.substr(1), take);
    }
  }
}

// `name` or `name` and a dot in front of the rest, which is returned.
std::optional<std::string_view> behind(std::string_view field, std::string_view name) {
  if (!field.starts_with(name)) return std::nullopt;
  const std::string_view rest = field.substr(name.size());
  if (rest.empty()) return rest;
  if (rest.front() != '.') return std::nullopt;
  return rest.substr(1);
}

void each_time(const Document& document, std::string_view field, const VisitValue& visit) {
  constexpr std::string_view last = ".timestamp";
  if (!field.ends_with(last)) return;
  const std::string_view path = field.substr(0, field.size() - last.size());
  each_section(document, [&](std::string_view name, const Field& section) {
    const auto rest = behind(path, name);
    if (!rest || rest->empty()) return;
    find_fields(section, *rest, [&](const Field& found) {
      if (!found.is_object()) visit(field, index::number_value(static_cast<double>(found.at)));
    });
  });
}

}  // namespace

void each_value(const Document& document, std::string_view field, const VisitValue& visit) {
  bool done = false;
  if (field.empty()) {
    each_section(document, [&](std::string_view name, const Field& section) {
      Path path{std::string(name)};
      take_leaves(section, path, [&](const std::string& at, const index::Value& value) {
        done = done || visit(at, value);
      });
    });
    if (!done) visit(delta_name, index::text_value(has_delta(document) ? "true" : "false"));
    return;
  }
  if (field == delta_name) visit(field, index::text_value(has_delta(document) ? "true" : "false"));
  if (field == "version") visit(field, index::number_value(static_cast<double>(document.version)));
  if (const auto metadata = behind(field, "metadata")) return each_time(document, *metadata, visit);
  each_section(document, [&](std::string_view name, const Field& section) {
    const auto rest = behind(field, name);
    if (!rest || rest->empty()) return;
    find_fields(section, *rest, [&](const Field& found) {
      if (found.is_object()) return;
      take_values(found.value,
                  [&](const index::Value& value) { done = done || visit(field, value); });
    });
  });
}

bool has_delta(const Document& document) { return differs(document.desired, document.reported); }

void index_change(const Address& address, const Document& before, const Document& after,
                  std::vector<store::Operation>& operations) {
  index_sections(address, before, after, operations);
  const bool was = before.exists(), is = after.exists();
  const bool differed = was && has_delta(before), differs = is && has_delta(after);
  if (was && is && differed == differs) return;
  if (was) operations.emplace_back(store::Erase{delta_posting(address, differed)});
  if (is) operations.emplace_back(store::Put{delta_posting(address, differs), ""});
}

}  // namespace gnomon::shadow
