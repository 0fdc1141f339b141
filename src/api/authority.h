// What a call must be allowed: actions, resources, condition keys and roles, from its row and
// input.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/tables.h"
#include "json/json.h"

namespace gnomon::api {

// What templates need beside the input.
struct Surroundings {
  std::string_view account, region;
  std::string_view caller;  // the name of the user that calls, or ""
  // The path of what a name stands for, "/" if it is not known: ("user", "Ann") → "/division/".
  std::function<std::string(std::string_view kind, std::string_view name)> path_of;
};

struct KeyWithValues {
  std::string key;
  std::vector<std::string> values;
  bool operator==(const KeyWithValues&) const = default;
};
struct RoleToPass {
  std::string role_arn;
  std::string_view service;
  bool operator==(const RoleToPass&) const = default;
};

// All must be allowed, each on every resource. None: nobody is refused.
[[nodiscard]] std::vector<std::string_view> actions(const Row& row, const json::Value& input);
// At least one: "*" for operations of no resource, and for inputs that name none.
[[nodiscard]] std::vector<std::string> resources(const Row& row, const json::Value& input,
                                                 const Surroundings& surroundings);
// Those that the input gives.
[[nodiscard]] std::vector<KeyWithValues> condition_keys(const Row& row, const json::Value& input);
// Those that the input names.
[[nodiscard]] std::vector<RoleToPass> roles_to_pass(const Row& row, const json::Value& input);

}  // namespace gnomon::api
