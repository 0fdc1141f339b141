// Committer: one partition's writes, in one store batch a turn, and what waits for them.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "store/store.h"

namespace gnomon::partition {

// Committer<Outcome>: collects the writes of a turn, applies them as one batch, and releases
// outcomes (answers, grants, acknowledgements) when what they depend on is durable. Several
// batches may be on their way to the disk. Outcomes leave in the order they were added; one with no
// durable effect goes around it. Conditions are for the control plane, which applies batches of its
// own: a slot is serial and knows its state.
// Owner:  one partition. Not thread-safe.
template <class Outcome>
class Committer {
 public:
  explicit Committer(store::Store& store) : store_(store) {}

  // The batch of this turn, to append to.
  store::Batch& batch() { return batch_; }
  // `outcome` leaves when everything written up to now is durable.
  void after(Outcome outcome) { waiting_now_.push_back(std::move(outcome)); }

  // End of turn: applies the batch. Appends to `ready` what may leave already.
  // Errors: the store's. Then nothing was written and `failed` holds the outcomes of this turn, to
  // be answered with the failure.
  Result<void> commit(std::vector<Outcome>& ready, std::vector<Outcome>& failed);
  // The store reports `sequence` durable.
  void durable(store::Sequence sequence, std::vector<Outcome>& ready);

  [[nodiscard]] bool idle() const { return batch_.empty() && waiting_now_.empty(); }
  // The sequence of the last batch.
  [[nodiscard]] store::Sequence applied() const { return applied_; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  // What must be durable for all outcomes to leave; less than applied() when nothing waits for the
  // last batches. 0: nothing waits.
  [[nodiscard]] store::Sequence waits_for() const {
    return waiting_.empty() ? 0 : waiting_.back().sequence;
  }

 private:
  struct Waiting {
    store::Sequence sequence;
    Outcome outcome;
  };
  store::Store& store_;
  store::Batch batch_;
  std::vector<Outcome> waiting_now_;
  std::deque<Waiting> waiting_;
  store::Sequence applied_ = 0;
};

template <class Outcome>
Result<void> Committer<Outcome>::commit(std::vector<Outcome>& ready, std::vector<Outcome>& failed) {
  if (!batch_.empty()) {
    auto applied = store_.apply(batch_);
    batch_.clear();
    if (!applied) {
      for (Outcome& outcome : waiting_now_) failed.push_back(std::move(outcome));
      waiting_now_.clear();
      return applied.error();
    }
    applied_ = *applied;
  }
  for (Outcome& outcome : waiting_now_) waiting_.push_back({applied_, std::move(outcome)});
  waiting_now_.clear();
  durable(store_.durable(), ready);
  return {};
}

template <class Outcome>
void Committer<Outcome>::durable(store::Sequence sequence, std::vector<Outcome>& ready) {
  while (!waiting_.empty() && waiting_.front().sequence <= sequence) {
    ready.push_back(std::move(waiting_.front().outcome));
    waiting_.pop_front();
  }
}

}  // namespace gnomon::partition
