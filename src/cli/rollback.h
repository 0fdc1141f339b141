// Rollback: what takes back the steps that were done, the last first.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "json/json.h"

namespace gnomon::cli {

// Owner: the command whose steps these are.
class Rollback {
 public:
  using Step = std::function<Result<json::Value>()>;

  void add(Step step) { steps_.push_back(std::move(step)); }
  // All went well: nothing is taken back.
  void forget() { steps_.clear(); }
  // Takes all back, also behind a step that fails; returns what is left over and why, or "".
  [[nodiscard]] std::string run() {
    std::string left;
    while (!steps_.empty()) {
      if (const auto undone = steps_.back()(); !undone)
        left += (left.empty() ? "" : "; ") + undone.error().message;
      steps_.pop_back();
    }
    return left;
  }

 private:
  std::vector<Step> steps_;
};

}  // namespace gnomon::cli
