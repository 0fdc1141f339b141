// Store: an ordered key-value store with conditional atomic batches, where written and durable are
// two things. No engine's type appears here.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace gnomon::store {

// Position in the log: grows with every batch. What was applied up to a sequence is durable once
// durable() reports it.
using Sequence = std::uint64_t;

struct Put {
  std::string key, value;
};
struct Erase {
  std::string key;
};
struct EraseRange {
  std::string begin, end;  // [begin, end)
};

// Holds, or the whole batch is refused (conflict). Checked against other batches with conditions,
// one at a time: a key named in a condition is written by batches with conditions only.
struct Condition {
  std::string key;
  std::optional<std::string> value;  // nullopt: the key must not exist
};

using Operation = std::variant<Put, Erase, EraseRange>;

// Batch: written as a whole or not at all, its operations in their order.
struct Batch {
  std::vector<Condition> conditions;
  std::vector<Operation> operations;
  [[nodiscard]] bool empty() const { return conditions.empty() && operations.empty(); }
  void clear() {
    conditions.clear();
    operations.clear();
  }
};

class Store {
 public:
  virtual ~Store() = default;

  // Writes the batch to the log without waiting for the disk. Visible to reads at once. Any thread.
  // Errors: conflict (a condition does not hold; nothing written), unavailable (broken: no further
  // acknowledgement may leave, and every later call fails too).
  virtual Result<Sequence> apply(const Batch& batch) = 0;
  // Makes everything applied before the call durable; returns the sequence reached. Blocks: only
  // the syncer calls it. Errors: unavailable; never retried, and the store is broken.
  virtual Result<Sequence> sync() = 0;
  // What is applied, and what is durable, now. Any thread; sequentially consistent, so that a loop
  // that goes to sleep and a syncer that wakes it do not miss each other.
  [[nodiscard]] virtual Sequence applied() const = 0;
  [[nodiscard]] virtual Sequence durable() const = 0;
  // False while free space is below the reserve: what would add data is to be refused before it is
  // written. apply() itself goes on, since what frees space is written too. Any thread, cheap.
  [[nodiscard]] virtual bool accepting() const = 0;

  // Errors: unavailable. A key that is not there is nullopt.
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  // Calls `visit` for the keys in [begin, end) in order, as of one moment, until it returns false.
  // The visitor must not call the store, and must be quick: writers may have to wait for it.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Result<void> scan(std::string_view begin, std::string_view end,
                            const Visit& visit) const = 0;
  // The same from the last key to the first.
  virtual Result<void> scan_back(std::string_view begin, std::string_view end,
                                 const Visit& visit) const = 0;

  // Writes a copy of all that is applied, as of one moment, into the new folder `folder`, from
  // which a store of the same kind can be opened; writers go on meanwhile. Blocks. Errors:
  // unavailable (it exists, the disk refuses), unsupported (a store in memory).
  virtual Result<void> checkpoint(const std::string& folder) = 0;
};

}  // namespace gnomon::store
