// For tests: any store, of whose calls one fails, or whose disk is full.
#pragma once

#include <atomic>

#include "store/store.h"

namespace gnomon::store {

// FailingStore: passes every call on to the store below, but for the one that the test chooses: it
// fails before anything is done. Owner:   a test, which owns the store below too. Threads: any.
class FailingStore final : public Store {
 public:
  explicit FailingStore(Store& below) : below_(below) {}

  // The call that comes after `count` others (get, scan, scan_back, apply) fails.
  void fail_after(int count) { left_ = count; }
  // What accepting() says; true at first.
  void set_accepting(bool accepting) { accepting_ = accepting; }
  // No call fails any more; says whether one was still to.
  bool relent() { return left_.exchange(-1) >= 0; }

  Result<Sequence> apply(const Batch& batch) override {
    if (fails()) return refusal();
    return below_.apply(batch);
  }
  Result<Sequence> sync() override { return below_.sync(); }
  [[nodiscard]] Sequence applied() const override { return below_.applied(); }
  [[nodiscard]] Sequence durable() const override { return below_.durable(); }
  [[nodiscard]] bool accepting() const override { return accepting_ && below_.accepting(); }
  Result<std::optional<std::string>> get(std::string_view key) const override {
    if (fails()) return refusal();
    return below_.get(key);
  }
  Result<void> scan(std::string_view begin, std::string_view end,
                    const Visit& visit) const override {
    if (fails()) return refusal();
    return below_.scan(begin, end, visit);
  }
  Result<void> scan_back(std::string_view begin, std::string_view end,
                         const Visit& visit) const override {
    if (fails()) return refusal();
    return below_.scan_back(begin, end, visit);
  }
  Result<void> checkpoint(const std::string& folder) override { return below_.checkpoint(folder); }

 private:
  [[nodiscard]] bool fails() const { return left_ >= 0 && left_-- == 0; }
  static Error refusal() { return {Code::unavailable, "the disk refuses (in a test)"}; }

  Store& below_;
  mutable std::atomic<int> left_{-1};
  std::atomic<bool> accepting_{true};
};

}  // namespace gnomon::store
