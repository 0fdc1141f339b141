#include "fleet/walk.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "index/terms.h"
#include "registry/tables.h"

namespace gnomon::fleet {

namespace {

using index::Plan;
using Failure = std::optional<Error>;

// ListCursor: keys that begin alike and end with the names. Reads a few, and more each time.
class ListCursor final : public Cursor {
 public:
  ListCursor(const store::Store& store, const records::Key& prefix, Failure& failure)
      : store_(store), prefix_(prefix.view()), end_(prefix.behind()), failure_(failure) {}

  std::optional<std::string_view> seek(std::string_view least) override {
    while (true) {
      const auto rest = names_.begin() + static_cast<std::ptrdiff_t>(at_);
      const auto found = std::lower_bound(rest, names_.end(), least);
      at_ = static_cast<std::size_t>(found - names_.begin());
      if (found != names_.end()) return *found;
      if (ended_) return std::nullopt;
      read(least);
    }
  }

 private:
  void read(std::string_view least) {
    names_.clear();
    at_ = 0;
    const auto scanned = store_.scan(prefix_ + std::string(least), end_,
                                     [&](std::string_view key, std::string_view) {
                                       names_.emplace_back(key.substr(prefix_.size()));
                                       return names_.size() < slice_;
                                     });
    if (!scanned) failure_ = scanned.error();
    ended_ = !scanned || names_.size() < slice_;
    slice_ = std::min(2 * slice_, slice_max);
  }

  static constexpr std::size_t slice_max = 1024;
  const store::Store& store_;
  const std::string prefix_, end_;
  Failure& failure_;
  std::vector<std::string> names_;
  std::size_t at_ = 0, slice_ = 16;
  bool ended_ = false;
};

// SortedCursor: names that are at hand.
class SortedCursor final : public Cursor {
 public:
  explicit SortedCursor(std::vector<std::string> names) : names_(std::move(names)) {
    std::ranges::sort(names_);
  }
  std::optional<std::string_view> seek(std::string_view least) override {
    const auto rest = names_.begin() + static_cast<std::ptrdiff_t>(at_);
    const auto found = std::lower_bound(rest, names_.end(), least);
    at_ = static_cast<std::size_t>(found - names_.begin());
    if (found == names_.end()) return std::nullopt;
    return *found;
  }

 private:
  std::vector<std::string> names_;
  std::size_t at_ = 0;
};

using Cursors = std::vector<std::unique_ptr<Cursor>>;

// BothCursor: names that all have. Each in turn is asked for the place that the one before it is
// at.
class BothCursor final : public Cursor {
 public:
  explicit BothCursor(Cursors parts) : parts_(std::move(parts)) {}
  std::optional<std::string_view> seek(std::string_view least) override {
    place_ = least;
    for (std::size_t agreed = 0, at = 0; agreed < parts_.size(); at = (at + 1) % parts_.size()) {
      const auto name = parts_[at]->seek(place_);
      if (!name) return std::nullopt;
      agreed = *name == place_ ? agreed + 1 : 1;
      place_ = *name;
    }
    return place_;
  }

 private:
  Cursors parts_;
  std::string place_;
};

// EitherCursor: names that one of them has.
class EitherCursor final : public Cursor {
 public:
  explicit EitherCursor(Cursors parts) : parts_(std::move(parts)) {}
  std::optional<std::string_view> seek(std::string_view least) override {
    std::optional<std::string_view> first;
    for (auto& part : parts_) {
      const auto name = part->seek(least);
      if (name && (!first || *name < *first)) first = name;
    }
    return first;
  }

 private:
  Cursors parts_;
};

// CursorMaker: from plans to cursors. Null: everything.
class CursorMaker {
 public:
  CursorMaker(const store::Store& store, Failure& failure) : store_(store), failure_(failure) {}

  std::unique_ptr<Cursor> make(const Plan& plan) {
    switch (plan.kind) {
      case Plan::Kind::everything:
        break;
      case Plan::Kind::term:
        return std::make_unique<ListCursor>(store_, raw(plan.prefix), failure_);
      case Plan::Kind::ranges:
        return ranges(plan);
      case Plan::Kind::both:
      case Plan::Kind::either:
        return joined(plan);
    }
    return nullptr;
  }

 private:
  static records::Key raw(std::string_view prefix) {
    return records::Key(static_cast<std::uint8_t>(prefix[0]), static_cast<std::uint8_t>(prefix[2]))
        .last(records::parts_of(prefix));
  }

  // The names of many terms are in no order: they are collected. If there are too many, things are
  // so dense among all that these are looked at instead.
  std::unique_ptr<Cursor> ranges(const Plan& plan) {
    std::vector<std::string> names;
    for (const index::Range& range : plan.ranges) {
      const auto scanned =
          store_.scan(range.begin, range.end, [&](std::string_view key, std::string_view) {
            if (auto posting = index::read_posting(key)) names.push_back(std::move(posting->thing));
            return names.size() <= limits::search_names_max;
          });
      if (!scanned) failure_ = scanned.error();
      if (names.size() > limits::search_names_max) return nullptr;
    }
    return std::make_unique<SortedCursor>(std::move(names));
  }

  std::unique_ptr<Cursor> joined(const Plan& plan) {
    const bool both = plan.kind == Plan::Kind::both;
    Cursors parts;
    for (const Plan& each : plan.parts) {
      if (auto part = make(each)) {
        parts.push_back(std::move(part));
      } else if (!both) {
        return nullptr;
      }
    }
    if (parts.empty()) return nullptr;
    if (parts.size() == 1) return std::move(parts.front());
    if (both) return std::make_unique<BothCursor>(std::move(parts));
    return std::make_unique<EitherCursor>(std::move(parts));
  }

  const store::Store& store_;
  Failure& failure_;
};

}  // namespace

Walk::Walk(const store::Store& store, const index::Plan& plan)
    : cursor_(CursorMaker(store, failure_).make(plan)) {
  if (!cursor_) {
    cursor_ = std::make_unique<ListCursor>(store, registry::key(registry::Table::thing), failure_);
  }
}

std::optional<std::string> Walk::next(std::string_view after) {
  // No name has a byte below that of a NUL, so nothing lies between.
  std::string least(after);
  if (!after.empty()) least += '\0';
  if (failure_) return std::nullopt;
  const auto found = cursor_->seek(least);
  if (!found || failure_) return std::nullopt;
  return std::string(*found);
}

}  // namespace gnomon::fleet
