#include "store/memory.h"

#include <map>

#include "base/guarded.h"

namespace gnomon::store {

namespace {

using Values = std::map<std::string, std::string, std::less<>>;

bool holds(const Values& values, const Condition& condition) {
  const auto it = values.find(condition.key);
  return it == values.end() ? !condition.value : condition.value == it->second;
}

void execute(Values& values, const Operation& operation) {
  if (const auto* put = std::get_if<Put>(&operation)) {
    values.insert_or_assign(put->key, put->value);
  } else if (const auto* erase = std::get_if<Erase>(&operation)) {
    values.erase(erase->key);
  } else if (const auto& range = std::get<EraseRange>(operation); range.begin < range.end) {
    values.erase(values.lower_bound(range.begin), values.lower_bound(range.end));
  }
}

class MemoryStore final : public Store {
 public:
  Result<Sequence> apply(const Batch& batch) override {
    return state_.with([&](State& state) -> Result<Sequence> {
      for (const Condition& condition : batch.conditions) {
        if (!holds(state.values, condition)) {
          return Error{Code::conflict, "a condition of the batch does not hold"};
        }
      }
      for (const Operation& operation : batch.operations) execute(state.values, operation);
      return ++state.sequence;
    });
  }
  Result<Sequence> sync() override { return durable(); }
  [[nodiscard]] Sequence applied() const override {
    return state_.with([](State& state) { return state.sequence; });
  }
  [[nodiscard]] Sequence durable() const override { return applied(); }
  [[nodiscard]] bool accepting() const override { return true; }
  Result<void> checkpoint(const std::string&) override {
    return Error{Code::unsupported, "a store in memory cannot be copied to a folder"};
  }
  Result<std::optional<std::string>> get(std::string_view key) const override {
    return state_.with([&](State& state) {
      const auto it = state.values.find(key);
      return it == state.values.end() ? std::nullopt : std::optional(it->second);
    });
  }
  Result<void> scan(std::string_view begin, std::string_view end,
                    const Visit& visit) const override {
    return state_.with([&](State& state) -> Result<void> {
      for (auto it = state.values.lower_bound(begin);
           it != state.values.end() && it->first < end && visit(it->first, it->second); ++it) {
      }
      return {};
    });
  }

 private:
  struct State {
    Values values;
    Sequence sequence = 0;
  };
  mutable Guarded<State> state_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace gnomon::store
