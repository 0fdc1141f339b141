// The content of the stores in memory, and what a batch does to it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "store/store.h"

namespace gnomon::store {

using Values = std::map<std::string, std::string, std::less<>>;

[[nodiscard]] bool holds(const Values& values, const Condition& condition);
// Errors: conflict, if one of them does not hold.
Result<void> check(const Values& values, const std::vector<Condition>& conditions);
void execute(Values& values, const std::vector<Operation>& operations);
[[nodiscard]] std::optional<std::string> find(const Values& values, std::string_view key);
void scan(const Values& values, std::string_view begin, std::string_view end,
          const Store::Visit& visit);
void scan_back(const Values& values, std::string_view begin, std::string_view end,
               const Store::Visit& visit);

}  // namespace gnomon::store
