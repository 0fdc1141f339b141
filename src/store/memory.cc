#include "store/memory.h"

#include "base/guarded.h"
#include "store/values.h"

namespace gnomon::store {

namespace {

class MemoryStore final : public Store {
 public:
  Result<Sequence> apply(const Batch& batch) override {
    return state_.with([&](State& state) -> Result<Sequence> {
      if (auto checked = check(state.values, batch.conditions); !checked) return checked.error();
      execute(state.values, batch.operations);
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
    return Error{
        Code::unsupported,
        "the store is in memory only (durability = memory): there is nothing on disk to copy"};
  }
  Result<std::optional<std::string>> get(std::string_view key) const override {
    return state_.with([&](State& state) { return find(state.values, key); });
  }
  Result<void> scan(std::string_view begin, std::string_view end,
                    const Visit& visit) const override {
    state_.with([&](State& state) { store::scan(state.values, begin, end, visit); });
    return {};
  }
  Result<void> scan_back(std::string_view begin, std::string_view end,
                         const Visit& visit) const override {
    state_.with([&](State& state) { store::scan_back(state.values, begin, end, visit); });
    return {};
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
