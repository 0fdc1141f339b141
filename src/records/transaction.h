// Optimistic transactions over a store: read, decide, write, as if nobody else did.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace gnomon::records {

// Transaction: what one attempt of run() has read and is going to write. What it has read by get()
// must be so still when it is written, or the attempt is made again. Reads see its own writes.
// A read that the store refuses makes the whole transaction fail with the store's error, whatever
// the function returns: so nobody need look after each read.
// Owner: run() or read(), for one call of the function. Not thread-safe.
class Transaction {
 public:
  explicit Transaction(const store::Store& store) : store_(store) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // The value of a key; nullopt: it is not there. Valid until the transaction writes the key.
  std::optional<std::string_view> get(std::string_view key);
  // The same, but nothing depends on it: somebody may change it while this goes on.
  std::optional<std::string> peek(std::string_view key);
  // Whether nothing has the key, and nothing gets it before this is written.
  [[nodiscard]] bool absent(std::string_view key) { return !get(key); }
  // As Store::scan and scan_back: what the store has now, without what this transaction writes, and
  // nothing depends on it. What must not come or go meanwhile needs a key that all concerned get().
  void scan(std::string_view begin, std::string_view end, const store::Store::Visit& visit);
  void scan_back(std::string_view begin, std::string_view end, const store::Store::Visit& visit);

  void put(std::string_view key, std::string value);
  void erase(std::string_view key);
  // [begin, end), also what others have put there until this is written.
  void erase_range(std::string begin, std::string end);
  // It goes through on a disk that is full, too: it frees space, or takes rights away.
  void always() { always_ = true; }

  // As if a read had failed so: what was read is no record.
  void fail(const Error& error) {
    if (!failure_) failure_ = error;
  }
  // Set once a read has failed.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  // Writes all as one batch; for run(). Returns the sequence that must be durable before the answer
  // leaves: without writes that of all it can have seen. Errors: conflict (something that was read
  // has changed); unavailable (the store's, or the disk is full).
  [[nodiscard]] Result<store::Sequence> commit(store::Store& store);

 private:
  using Values = std::map<std::string, std::optional<std::string>, std::less<>>;

  [[nodiscard]] bool in_erased_range(std::string_view key) const;
  [[nodiscard]] bool changes(const Values::value_type& write) const;

  const store::Store& store_;
  Values reads_, writes_;  // nullopt: not there; to be erased
  std::vector<store::EraseRange> ranges_;
  std::optional<Error> failure_;
  bool always_ = false;
};

// What a transaction has returned, and what must be durable before anybody is told.
template <class T>
struct Committed {
  T value;
  store::Sequence sequence = 0;
};

// With so many others writing the same keys at once each attempt still lets one of them through.
constexpr int attempts_max = 64;

// Calls `function(Transaction&)`, which returns a Result<T, E>, and writes what it has put as one
// batch. If something that it has read changed meanwhile it is called again: it must have no effect
// but on its transaction. If it returns an error nothing is written. Does not wait for the disk.
// Any thread. Errors: the function's; the store's, as E: unavailable, also after `attempts_max`.
template <class F>
auto run(store::Store& store, F&& function) {
  using Answer = std::invoke_result_t<F&, Transaction&>;
  using T = typename Answer::value_type;
  using E = typename Answer::error_type;
  using Outcome = Result<Committed<T>, E>;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    Transaction transaction(store);
    Answer answer = function(transaction);
    if (transaction.failure()) return Outcome(E(*transaction.failure()));
    if (!answer) return Outcome(answer.error());
    const auto sequence = transaction.commit(store);
    if (sequence) return Outcome(Committed<T>{std::move(answer).value(), *sequence});
    if (sequence.error().code != Code::conflict) return Outcome(E(sequence.error()));
    std::this_thread::yield();
  }
  return Outcome(E(Error{Code::unavailable, "too many others change the same at once: try again"}));
}

// Calls `function(Transaction&)`, which returns a Result<T, E> and writes nothing, and returns what
// it returns. What it reads may not be durable yet: it is no acknowledgement of anything.
template <class F>
auto read(const store::Store& store, F&& function) -> std::invoke_result_t<F&, Transaction&> {
  using E = typename std::invoke_result_t<F&, Transaction&>::error_type;
  Transaction transaction(store);
  auto answer = function(transaction);
  if (transaction.failure()) return E(*transaction.failure());
  return answer;
}

}  // namespace gnomon::records
