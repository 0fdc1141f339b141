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

// Holds, or the whole batch is refused (conflict).
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

  // Writes the batch to the log without waiting for the disk. Visible to reads at once.
  // Errors: conflict (a condition does not hold; nothing written), exhausted (no space; nothing
  // written), unavailable (broken: no further acknowledgement may leave).
  virtual Result<Sequence> apply(const Batch& batch) = 0;
  // Makes everything applied before the call durable; returns the sequence reached. Blocks: only
  // the syncer calls it. Errors: unavailable; never retried.
  virtual Result<Sequence> sync() = 0;
  // What is durable now.
  [[nodiscard]] virtual Sequence durable() const = 0;

  // Errors: unavailable. A key that is not there is nullopt.
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  // Calls `visit` for the keys in [begin, end) in order, as of one moment, until it returns false.
  // The visitor must not call the store, and must be quick: writers may have to wait for it.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Result<void> scan(std::string_view begin, std::string_view end,
                            const Visit& visit) const = 0;
};

}  // namespace gnomon::store
