// Tags of users, roles, managed policies and sessions.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

namespace gnomon::iam {

// As IAM compares tag keys, and policies the names of condition keys: A to Z are a to z.
struct IgnoringCase {
  bool operator()(std::string_view a, std::string_view b) const {
    constexpr auto lower = [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
  }
};

// Of keys that differ in their case only there is one: else a policy that asks for
// aws:PrincipalTag/department would be told another value than one that asks for Department.
using Tags = std::map<std::string, std::string, IgnoringCase>;

// As TagUser: a key that is there, in whatever case, is replaced.
inline void put_tags(Tags& tags, const Tags& more) {
  for (const auto& [key, value] : more) {
    tags.erase(key);
    tags.emplace(key, value);
  }
}

}  // namespace gnomon::iam
