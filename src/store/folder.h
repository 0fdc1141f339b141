// The data folder: who may use it, and in which format it is.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace gnomon::store {

// The number in DATA/format. A newer one is refused; a change of what is on disk makes a new one,
// whose folder in tests/fixtures shows that later versions can still read it.
constexpr int folder_format = 1;

// Folder: the data folder of one server, locked as long as this object lives. In it: `lock` (the
// pid of the holder), `format` (a number) and `store/`. Owner:   the server; opened before
// everything that reads or writes below it. Not movable.
class Folder {
 public:
  // Makes the folder (0700) if it does not exist, and those it is in. One that exists keeps its
  // mode, with a warning if others than its owner have rights to it. Errors: unavailable (in use,
  // with the holder's pid; no folder; no access; damaged), unsupported (written by a newer
  // version).
  static Result<std::unique_ptr<Folder>> open(const std::string& path);
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string store_path() const { return path_ + "/store"; }

 private:
  Folder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  const std::string path_;
  const int lock_;  // the descriptor that holds the lock
};

// The pid of the process that holds the folder at `path`, as it wrote it there itself; nullopt:
// none does, or nobody can tell. Takes the lock, shared, for the time of the question: a server
// that starts in that moment takes the folder for one in use.
[[nodiscard]] std::optional<int> holder(const std::string& path);

// Copies the store, as of one moment and while it works, into the new folder `target`: `format` and
// `store/`, nothing else; keys and secrets are not in a backup. Until it is whole it is named
// `target`.partial. Blocks: for the pool. Errors: conflict (it exists), unavailable (the disk
// refuses), unsupported (a store in memory).
Result<void> write_backup(Store& store, const std::string& target);

// Makes the data folder `data`, which must be empty or not exist, from a backup: copied beside it
// (`data`.restoring), opened and read through with all checksums, and only then given its name.
// Errors: unavailable, unsupported; then `data` is as before.
Result<void> restore(const std::string& backup, const std::string& data);

}  // namespace gnomon::store
