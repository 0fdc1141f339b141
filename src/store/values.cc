#include "store/values.h"

namespace gnomon::store {

bool holds(const Values& values, const Condition& condition) {
  const auto it = values.find(condition.key);
  return it == values.end() ? !condition.value : condition.value == it->second;
}

Result<void> check(const Values& values, const std::vector<Condition>& conditions) {
  for (const Condition& condition : conditions) {
    if (!holds(values, condition)) {
      return Error{Code::conflict, "a condition of the batch does not hold"};
    }
  }
  return {};
}

void execute(Values& values, const std::vector<Operation>& operations) {
  for (const Operation& operation : operations) {
    if (const auto* put = std::get_if<Put>(&operation)) {
      values.insert_or_assign(put->key, put->value);
    } else if (const auto* erase = std::get_if<Erase>(&operation)) {
      values.erase(erase->key);
    } else if (const auto& range = std::get<EraseRange>(operation); range.begin < range.end) {
      values.erase(values.lower_bound(range.begin), values.lower_bound(range.end));
    }
  }
}

std::optional<std::string> find(const Values& values, std::string_view key) {
  const auto it = values.find(key);
  return it == values.end() ? std::nullopt : std::optional(it->second);
}

void scan(const Values& values, std::string_view begin, std::string_view end,
          const Store::Visit& visit) {
  for (auto it = values.lower_bound(begin);
       it != values.end() && it->first < end && visit(it->first, it->second); ++it) {
  }
}

void scan_back(const Values& values, std::string_view begin, std::string_view end,
               const Store::Visit& visit) {
  auto it = values.lower_bound(end);
  while (it != values.begin() && (--it)->first >= begin && visit(it->first, it->second)) {
  }
}

}  // namespace gnomon::store
