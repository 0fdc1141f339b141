// Walk: the names of the things of a plan, in their order.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "index/plan.h"
#include "store/store.h"

namespace gnomon::fleet {

// Cursor: a set of names in their order, of which any place can be gone to. Not thread-safe.
class Cursor {
 public:
  virtual ~Cursor() = default;
  // The first name that is not before `least`, which never goes back; nullopt: there is none.
  virtual std::optional<std::string_view> seek(std::string_view least) = 0;
};

// Walk: reads a plan's postings a few at a time, each list from where the others are: what it takes
// is a matter of the shortest list, not of the longest. Owner: one search.
class Walk {
 public:
  Walk(const store::Store& store, const index::Plan& plan);
  // The first name behind `after`; nullopt: there is none, or the store has failed. With an empty
  // `after` the first of all. Places only grow.
  std::optional<std::string> next(std::string_view after);
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  std::optional<Error> failure_;  // the cursors' too, which refer to it
  std::unique_ptr<Cursor> cursor_;
};

}  // namespace gnomon::fleet
