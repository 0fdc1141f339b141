#include "topic/topic.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "base/utf8.h"

namespace gnomon::topic {
namespace {

constexpr std::string_view share_prefix = "$share/";

// True if one of the eight bytes at `at` is `+` or `#`. The two differ in one bit, which is masked
// away; then zero bytes are looked for: adding 0x7f leaves the top bit of no other byte unset.
bool eight_hold_wildcard(const char* at) {
  static_assert(('+' & ~0x08) == '#');
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  const std::uint64_t x = (word & ~0x0808080808080808U) ^ 0x2323232323232323U;
  constexpr std::uint64_t low = 0x7f7f7f7f7f7f7f7f;
  return ~(((x & low) + low) | x | low) != 0;
}

// On the path of every PUBLISH. The last word overlaps the one before.
bool holds_wildcard(std::string_view text) {
  if (text.size() < 8) {
    return std::any_of(text.begin(), text.end(), [](char c) { return c == '+' || c == '#'; });
  }
  const char* last = text.data() + text.size() - 8;
  for (const char* at = text.data(); at < last; at += 8) {
    if (eight_hold_wildcard(at)) return true;
  }
  return eight_hold_wildcard(last);
}

// What a name and a filter have in common.
Fault check_text(std::string_view text) {
  if (text.empty()) return Fault::empty;
  if (text.size() > limits::topic_bytes_max) return Fault::too_long;
  return is_mqtt_utf8(text) ? Fault::none : Fault::not_utf8;
}

// Checks the levels of a filter without its share.
Fault check_levels(std::string_view filter) {
  int levels = 1;
  bool level_begins = true;
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const char c = filter[i];
    const bool last = i + 1 == filter.size();
    if (c == '/') {
      ++levels;
    } else if (c == '+') {
      if (!level_begins || (!last && filter[i + 1] != '/')) return Fault::misplaced_wildcard;
    } else if (c == '#') {
      if (!level_begins || !last) return Fault::misplaced_wildcard;
    }
    level_begins = c == '/';
  }
  return levels > limits::topic_levels_max ? Fault::too_deep : Fault::none;
}

}  // namespace

std::string_view describe(Fault fault) {
  switch (fault) {
    case Fault::none:
      return "the topic is valid";
    case Fault::empty:
      return "the topic is empty";
    case Fault::too_long:
      return "the topic is longer than 65,535 bytes";
    case Fault::too_deep:
      return "the topic has more than 128 levels";
    case Fault::not_utf8:
      return "the topic is not UTF-8, or contains U+0000";
    case Fault::wildcard_in_name:
      return "a topic name must not contain + or #";
    case Fault::misplaced_wildcard:
      return "+ and # must each be a whole level of the filter, and # the last one";
    case Fault::bad_share:
      return "a shared subscription is $share/NAME/FILTER, without + or # in its name";
  }
  return "the topic is not valid";
}
static_assert(limits::topic_bytes_max == 65535 && limits::topic_levels_max == 128,
              "describe() names them");

Fault check_name(std::string_view name) {
  if (const Fault fault = check_text(name); fault != Fault::none) return fault;
  if (holds_wildcard(name)) return Fault::wildcard_in_name;
  constexpr std::size_t slashes_max = limits::topic_levels_max - 1;
  if (name.size() <= slashes_max) return Fault::none;
  const auto slashes = static_cast<std::size_t>(std::count(name.begin(), name.end(), '/'));
  return slashes > slashes_max ? Fault::too_deep : Fault::none;
}

Fault check_filter(std::string_view filter) {
  if (const Fault fault = check_text(filter); fault != Fault::none) return fault;
  if (filter == share_prefix.substr(0, share_prefix.size() - 1)) return Fault::bad_share;
  if (!filter.starts_with(share_prefix)) return check_levels(filter);
  const Shared shared = split_shared(filter);
  const bool named = !shared.name.empty() && !holds_wildcard(shared.name);
  return named && !shared.filter.empty() ? check_levels(shared.filter) : Fault::bad_share;
}

Shared split_shared(std::string_view filter) {
  if (!filter.starts_with(share_prefix)) return {{}, filter};
  filter.remove_prefix(share_prefix.size());
  const std::size_t slash = filter.find('/');
  if (slash == std::string_view::npos) return {filter, {}};  // not valid
  return {filter.substr(0, slash), filter.substr(slash + 1)};
}

bool has_wildcard(std::string_view filter) { return holds_wildcard(filter); }

bool matches(std::string_view filter, std::string_view name) {
  if (name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  std::size_t f = 0, n = 0;  // each at the beginning of a level, on every turn
  for (;;) {
    if (f < filter.size() && filter[f] == '#') return true;
    if (f < filter.size() && filter[f] == '+') {
      ++f;
      while (n < name.size() && name[n] != '/') ++n;
    } else {
      while (f < filter.size() && n < name.size() && filter[f] == name[n] && filter[f] != '/') {
        ++f;
        ++n;
      }
      if (f < filter.size() && filter[f] != '/') return false;
      if (n < name.size() && name[n] != '/') return false;
    }
    if (n == name.size()) return f == filter.size() || filter.substr(f) == "/#";
    if (f == filter.size()) return false;
    ++f;
    ++n;
  }
}

}  // namespace gnomon::topic
