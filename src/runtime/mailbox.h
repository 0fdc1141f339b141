// Mailbox: how threads talk. Batched: a sender hands over all it has for a target once per turn.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/loop.h"

namespace gnomon::runtime {

// Mailbox<T>: many senders, one owner. Mail of one sender arrives in the order it was sent.
// Unbounded by itself: what may be refused is bounded by credits of the sender (see broker/mail.h).
// Threads: push() any; take() and empty() the owner's.
template <class T>
class Mailbox {
 public:
  // `owner` is woken when mail arrives in an empty box. Outlives the box.
  explicit Mailbox(Loop& owner) : owner_(owner) {}

  // Moves all of `batch` (emptied, capacity kept) to the end of the box.
  void push(std::vector<T>& batch) {
    if (batch.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      for (T& mail : batch) mail_.push_back(std::move(mail));
      filled_.store(true, std::memory_order_seq_cst);
    }
    batch.clear();
    owner_.wake();
  }

  // Swaps everything in the box into `out`, which must be empty.
  void take(std::vector<T>& out) {
    if (!filled_.load(std::memory_order_seq_cst)) return;
    const std::lock_guard lock(mutex_);
    mail_.swap(out);
    filled_.store(false, std::memory_order_seq_cst);
  }
  [[nodiscard]] bool empty() const { return !filled_.load(std::memory_order_seq_cst); }

 private:
  Loop& owner_;
  std::mutex mutex_;
  std::vector<T> mail_;
  std::atomic<bool> filled_{false};
};

}  // namespace gnomon::runtime
