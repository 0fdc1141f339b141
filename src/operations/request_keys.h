// The condition keys of a call, or of the upgrade to a WebSocket.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/authority.h"
#include "policy/policy_set.h"

namespace gnomon::operations {

// RequestKeys: keys with their values, and views of them as policies read them. Those of a resource
// are put behind those of the call, and taken off again.
class RequestKeys {
 public:
  RequestKeys() = default;
  explicit RequestKeys(std::vector<api::KeyWithValues> keys) : owned_(std::move(keys)) {}

  void add(std::string key, std::vector<std::string> values) {
    owned_.push_back({std::move(key), std::move(values)});
  }
  void add(std::vector<api::KeyWithValues> keys) {
    for (api::KeyWithValues& one : keys) owned_.push_back(std::move(one));
  }
  [[nodiscard]] std::size_t size() const { return owned_.size(); }
  // Only the first `size` are kept.
  void cut(std::size_t size) { owned_.resize(size); }
  // Valid until the next change.
  [[nodiscard]] std::span<const policy::KeyValues> view() {
    values_.clear();
    views_.clear();
    for (const api::KeyWithValues& one : owned_)
      values_.emplace_back(one.values.begin(), one.values.end());
    for (std::size_t i = 0; i < owned_.size(); ++i) views_.push_back({owned_[i].key, values_[i]});
    return views_;
  }

 private:
  std::vector<api::KeyWithValues> owned_;
  std::vector<std::vector<std::string_view>> values_;
  std::vector<policy::KeyValues> views_;
};

}  // namespace gnomon::operations
