// The store of crash tests: it loses what was not synced.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "base/random.h"
#include "store/values.h"

namespace gnomon::store {

// LossyStore: in memory, with the disk's image beside it. crash() is a power cut and the start
// after it: of the batches applied but not synced a random prefix is kept, all or none included,
// each whole or not at all. Sequences go on from where they were. Owner:  a test. Threads: any, but
// crash() only while no other call is on its way.
class LossyStore final : public Store {
 public:
  Result<Sequence> apply(const Batch& batch) override;
  Result<Sequence> sync() override;
  [[nodiscard]] Sequence applied() const override;
  [[nodiscard]] Sequence durable() const override;
  [[nodiscard]] bool accepting() const override;
  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<void> scan(std::string_view begin, std::string_view end,
                    const Visit& visit) const override;
  Result<void> scan_back(std::string_view begin, std::string_view end,
                         const Visit& visit) const override;
  Result<void> checkpoint(const std::string& folder) override;  // unsupported

  // Returns how many batches were lost. A broken store works again: it was started anew.
  std::size_t crash(Random& random);
  // While true apply() fails and nothing is written: the disk refuses.
  void set_refusing(bool refusing);
  // The next sync fails, and from then on every apply and sync: the store is broken.
  void break_next_sync();
  // What accepting() says; true at first.
  void set_accepting(bool accepting);

 private:
  struct State {
    Values values, on_disk;
    std::deque<std::vector<Operation>> unsynced;
    Sequence applied = 0, durable = 0;
    bool refusing = false, breaks_next = false, broken = false, accepting = true;
  };
  mutable Guarded<State> state_;
};

}  // namespace gnomon::store
