// Decisions: the connections that were refused by policy lately, each with its reasons.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/guarded.h"

namespace gnomon::identity {

struct Decision {
  std::string id;  // random; told to the client and in the log
  WallTime at;
  std::string principal, client_id, action, resource;
  std::string explanation;  // policy::to_text()
};

// Decisions: the last limits::decisions_remembered_max, in memory only, long texts
// cut. Threads: any.
class Decisions {
 public:
  void note(Decision decision);
  // Nothing: there is none with this id, or it was long ago.
  [[nodiscard]] std::optional<Decision> find(std::string_view id) const;

 private:
  mutable Guarded<std::deque<Decision>> last_;
};

}  // namespace gnomon::identity
