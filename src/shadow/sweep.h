// Sweep: deleted shadows whose version need not be remembered any more are taken out of the store.
// Each deletion leaves a note (records.h); a sweep reads the notes that are old enough, and the
// partition forgets what is still deleted (Ask::forget).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "shadow/document.h"
#include "shadow/topics.h"
#include "store/store.h"

namespace gnomon::shadow {

// Where a sweep goes on. A value.
struct SweepPlace {
  int slot = 0;
  std::string after;  // the key behind which it does; empty: from the slot's first
  [[nodiscard]] bool done() const;
};
struct Deleted {
  std::string key;  // of the note
  Address address;
};

// The deletions up to 48 hours before `now`, from `place` on, in every `step`th slot: at most
// `most`, and `place` is left behind them. Reads the store. Errors: the store's; unavailable, with
// the key (a note is damaged).
Result<std::vector<Deleted>> long_deleted(const store::Store& store, SweepPlace& place, int step,
                                          Seconds now, std::size_t most);

}  // namespace gnomon::shadow
