#include "policy/variables.h"

#include <algorithm>

#include "base/limits.h"
#include "policy/ascii.h"

namespace gnomon::policy {

bool same_key(std::string_view a, std::string_view b) {
  const std::size_t bracket = std::min(a.find('['), a.size());
  return a.size() == b.size() && a.substr(bracket) == b.substr(bracket) &&
         equal_ignoring_case(a.substr(0, bracket), b.substr(0, bracket));
}

void Variables::set(std::string_view key, std::string_view value) {
  set(key, std::vector<std::string>{std::string(value)});
}

void Variables::set(std::string_view key, std::vector<std::string> values) {
  const auto found = std::ranges::find_if(
      entries_, [key](const Entry& entry) { return same_key(entry.key, key); });
  if (found == entries_.end()) {
    entries_.push_back({std::string(key), std::move(values)});
  } else {
    found->values = std::move(values);
  }
}

void Variables::set_certificate_field(std::string_view key,
                                      const std::vector<std::string>& values) {
  const std::string name(key);
  std::vector<std::string> list;
  const std::size_t count = std::min(values.size(), limits::certificate_values_max);
  for (std::size_t i = 0; i < count; ++i) {
    if (values[i].size() > limits::certificate_value_bytes_max) continue;
    set(i == 0 ? name : name + '.' + std::to_string(i), values[i]);
    list.push_back(values[i]);
  }
  if (!list.empty()) set(name + ".List", std::move(list));
}

const Variables::Entry* Variables::find(std::string_view key) const {
  const auto found = std::ranges::find_if(
      entries_, [key](const Entry& entry) { return same_key(entry.key, key); });
  return found == entries_.end() ? nullptr : &*found;
}

}  // namespace gnomon::policy
