// Decisions: the connections that were refused by policy lately, each with its reasons.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/guarded.h"
#include "policy/explain.h"

namespace gnomon::identity {

struct Decision {
  std::string id;  // random; told to the client and in the log
  WallTime at;
  std::string principal, client_id;
  policy::Explanation explanation;
  std::size_t left_out = 0;  // statements that are not remembered
};

// Decisions: the last limits::decisions_remembered_max, in memory only. Of each, statements are
// remembered up to limits::decision_text_bytes_max, and of any other text as much. Threads: any.
class Decisions {
 public:
  void note(Decision decision);
  // Nothing: there is none with this id, or it was long ago.
  [[nodiscard]] std::optional<Decision> find(std::string_view id) const;

 private:
  mutable Guarded<std::deque<Decision>> last_;
};

}  // namespace gnomon::identity
