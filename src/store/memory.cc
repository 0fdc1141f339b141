#include "store/memory.h"

#include <map>
#include <mutex>

namespace gnomon::store {

namespace {

class MemoryStore final : public Store {
 public:
  Result<Sequence> apply(const Batch& batch) override {
    const std::lock_guard lock(mutex_);
    for (const Condition& condition : batch.conditions) {
      const auto it = values_.find(condition.key);
      const bool holds = it == values_.end() ? !condition.value : condition.value == it->second;
      if (!holds) return Error{Code::conflict, "a condition of the batch does not hold"};
    }
    for (const Operation& operation : batch.operations) {
      if (const auto* put = std::get_if<Put>(&operation)) {
        values_.insert_or_assign(put->key, put->value);
      } else if (const auto* erase = std::get_if<Erase>(&operation)) {
        values_.erase(erase->key);
      } else {
        const auto& range = std::get<EraseRange>(operation);
        if (range.begin < range.end) {
          values_.erase(values_.lower_bound(range.begin), values_.lower_bound(range.end));
        }
      }
    }
    return ++sequence_;
  }
  Result<Sequence> sync() override { return durable(); }
  [[nodiscard]] Sequence durable() const override {
    const std::lock_guard lock(mutex_);
    return sequence_;
  }
  Result<std::optional<std::string>> get(std::string_view key) const override {
    const std::lock_guard lock(mutex_);
    const auto it = values_.find(key);
    return it == values_.end() ? std::nullopt : std::optional(it->second);
  }
  Result<void> scan(std::string_view begin, std::string_view end,
                    const Visit& visit) const override {
    const std::lock_guard lock(mutex_);
    for (auto it = values_.lower_bound(begin); it != values_.end() && it->first < end; ++it) {
      if (!visit(it->first, it->second)) break;
    }
    return {};
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> values_;
  Sequence sequence_ = 0;
};

}  // namespace

std::unique_ptr<Store> make_memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace gnomon::store
