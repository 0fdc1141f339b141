#include "store/lossy.h"

#include <utility>

namespace gnomon::store {

namespace {

Error broken() { return {Code::unavailable, "the store is broken: a sync failed (in a test)"}; }

}  // namespace

Result<Sequence> LossyStore::apply(const Batch& batch) {
  return state_.with([&](State& state) -> Result<Sequence> {
    if (state.broken) return broken();
    if (state.refusing) return Error{Code::unavailable, "the disk refuses (in a test)"};
    if (auto checked = check(state.values, batch.conditions); !checked) return checked.error();
    execute(state.values, batch.operations);
    state.unsynced.push_back(batch.operations);
    return ++state.applied;
  });
}

Result<Sequence> LossyStore::sync() {
  return state_.with([](State& state) -> Result<Sequence> {
    if (std::exchange(state.breaks_next, false)) state.broken = true;
    if (state.broken) return broken();
    for (const auto& operations : state.unsynced) execute(state.on_disk, operations);
    state.unsynced.clear();
    return state.durable = state.applied;
  });
}

Sequence LossyStore::applied() const {
  return state_.with([](State& state) { return state.applied; });
}
Sequence LossyStore::durable() const {
  return state_.with([](State& state) { return state.durable; });
}
bool LossyStore::accepting() const {
  return state_.with([](State& state) { return state.accepting; });
}

Result<std::optional<std::string>> LossyStore::get(std::string_view key) const {
  return state_.with([&](State& state) { return find(state.values, key); });
}

Result<void> LossyStore::scan(std::string_view begin, std::string_view end,
                              const Visit& visit) const {
  state_.with([&](State& state) { store::scan(state.values, begin, end, visit); });
  return {};
}

Result<void> LossyStore::scan_back(std::string_view begin, std::string_view end,
                                   const Visit& visit) const {
  state_.with([&](State& state) { store::scan_back(state.values, begin, end, visit); });
  return {};
}

Result<void> LossyStore::checkpoint(const std::string&) {
  return Error{Code::unsupported, "a store in memory cannot be copied to a folder"};
}

std::size_t LossyStore::crash(Random& random) {
  return state_.with([&](State& state) {
    const std::size_t kept = random.below(state.unsynced.size() + 1);
    for (std::size_t i = 0; i < kept; ++i) execute(state.on_disk, state.unsynced[i]);
    const std::size_t lost = state.unsynced.size() - kept;
    state.unsynced.clear();
    state.values = state.on_disk;
    state.durable = state.applied;  // what is left is on the disk
    state.broken = state.breaks_next = false;
    return lost;
  });
}

void LossyStore::set_refusing(bool refusing) {
  state_.with([&](State& state) { state.refusing = refusing; });
}
void LossyStore::break_next_sync() {
  state_.with([](State& state) { state.breaks_next = true; });
}
void LossyStore::set_accepting(bool accepting) {
  state_.with([&](State& state) { state.accepting = accepting; });
}

}  // namespace gnomon::store
