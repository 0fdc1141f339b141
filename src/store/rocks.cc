#include "store/rocks.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include "base/guarded.h"
#include "base/log.h"
#include "store/durable_file.h"
#include "store/reserve.h"
#include "store/wal_check.h"

namespace gnomon::store {

namespace {

// The log is read again at the next start: 0.7 s for 23 MiB of small batches, which is what fills a
// write buffer of 32 MiB; more only while a flush is behind.
constexpr std::size_t write_buffer_bytes_max = 32 * MiB;
constexpr std::uint64_t log_bytes_max = 64 * MiB;
constexpr int open_files_max = 512;
constexpr const char* restore_remedy =
    "Restore a backup into a new folder (gnomon restore); the damaged one is left as it is";

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

// Health: whether the store is broken, and why. The first error counts, and it is for ever: after a
// failed write or sync nobody knows what the disk holds, and trying again would hide it.
// Owner:   the store and RocksDB, whose threads report here. Threads: any.
class Health final : public rocksdb::EventListener {
 public:
  explicit Health(std::string folder) : folder_(std::move(folder)) {}

  [[nodiscard]] bool broken() const { return broken_.load(std::memory_order_acquire); }
  // A writer may hear of a failed sync before the syncer does, and is told no more than this.
  static std::string reason_of(const rocksdb::Status& status) {
    std::string text = status.ToString();
    if (text.find("Writer has previous error") == std::string::npos) return text;
    return text + " (a write or sync of its log failed just before)";
  }
  void breaks(const rocksdb::Status& status) {
    why_.with([&](std::string& why) {
      if (why.empty()) why = reason_of(status);
    });
    broken_.store(true, std::memory_order_release);
  }
  [[nodiscard]] Error error() {
    return {Code::unavailable,
            "the store in " + folder_ + " is broken: " + why_.with([](auto& why) { return why; }) +
                ". Nothing more is acknowledged: see to the disk (space, errors in the kernel's "
                "log), then start again"};
  }

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (!status->ok()) breaks(*status);
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* recover) override {
    *recover = false;  // max_bgerror_resume_count does not cover "no space"
  }

 private:
  const std::string folder_;
  std::atomic<bool> broken_{false};
  Guarded<std::string> why_;
};

void set_memory(rocksdb::Options& options, std::size_t bytes) {
  options.db_write_buffer_size = std::max(bytes / 4, 2 * MiB);
  // With one column family this bounds the log too: max_total_wal_size is for several.
  options.write_buffer_size = std::clamp(bytes / 8, 1 * MiB, write_buffer_bytes_max);
  options.max_write_buffer_number = 4;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(std::max(bytes - bytes / 4, 1 * MiB));
  table.cache_index_and_filter_blocks = true;  // within the budget, not beside it
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // In pieces: the filter of a table of small records is 3 MB whole, more than one of the cache's
  // shards holds, and would be read from the file for every key that is looked for.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
}

void set_compression(rocksdb::Options& options) {
  const auto have = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(have.begin(), have.end(), rocksdb::kLZ4Compression) != have.end();
  options.compression = rocksdb::kNoCompression;
  if (!lz4) return;
  // What is young is read and deleted soon (queues): compressing it is work for nothing.
  options.compression_per_level.assign(static_cast<std::size_t>(options.num_levels),
                                       rocksdb::kLZ4Compression);
  options.compression_per_level[0] = options.compression_per_level[1] = rocksdb::kNoCompression;
}

rocksdb::Options settings(const RocksOptions& wanted, std::shared_ptr<Health> health) {
  rocksdb::Options options;
  options.create_if_missing = true;
  // Durability: the syncer calls SyncWAL() while others write, which needs the first three.
  options.allow_mmap_writes = false;
  options.manual_wal_flush = false;
  options.recycle_log_file_num = 0;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = log_bytes_max;
  options.avoid_flush_during_shutdown = true;   // the log is synced, so a stop is quick
  options.avoid_flush_during_recovery = false;  // what was found is durable when open() returns
  options.paranoid_checks = true;
  options.max_bgerror_resume_count = 0;  // it must not go on by itself after an error
  options.listeners.push_back(std::move(health));

  options.max_open_files = open_files_max;
  options.max_background_jobs = 2;
  options.bytes_per_sync = 1 * MiB;  // spreads the writing of tables
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 * MiB;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  set_memory(options, wanted.memory_bytes);
  set_compression(options);
  return options;
}

// Appends the operations in their order.
rocksdb::Status add(const std::vector<Operation>& operations, rocksdb::WriteBatch& to) {
  rocksdb::Status status;
  for (const Operation& operation : operations) {
    if (const auto* put = std::get_if<Put>(&operation)) {
      status = to.Put(put->key, put->value);
    } else if (const auto* erase = std::get_if<Erase>(&operation)) {
      status = to.Delete(erase->key);
    } else if (const auto& range = std::get<EraseRange>(operation); range.begin < range.end) {
      status = to.DeleteRange(range.begin, range.end);
    }
    if (!status.ok()) break;
  }
  return status;
}

class RocksStore final : public Store {
 public:
  RocksStore(const RocksOptions& options, const MonotonicClock& clock, rocksdb::DB* db,
             std::shared_ptr<Health> health)
      : folder_(options.folder),
        health_(std::move(health)),
        reserve_(options.reserve_bytes, clock, free_space_of(options.folder)),
        db_(db) {}

  ~RocksStore() override {
    if (!health_->broken()) {
      if (auto synced = sync(); !synced) log_error("store_sync", {{"why", synced.error().message}});
    }
    if (const auto closed = db_->Close(); !closed.ok()) {
      log_error("store_close", {{"folder", folder_}, {"why", closed.ToString()}});
    }
  }

  Result<Sequence> apply(const Batch& batch) override {
    if (health_->broken()) return health_->error();
    if (batch.conditions.empty()) return write(batch.operations);
    return turn_.with([&](Turn&) -> Result<Sequence> {
      if (auto checked = check(batch.conditions); !checked) return checked.error();
      return write(batch.operations);
    });
  }

  Result<Sequence> sync() override {
    if (health_->broken()) return health_->error();
    // Counted before the sync begins: a batch is counted when its write has returned, so it is in
    // the log that is synced now.
    const Sequence reached = applied();
    if (reached == durable()) return reached;
    if (const auto synced = db_->SyncWAL(); !synced.ok()) health_->breaks(synced);
    // Also when a thread of RocksDB failed meanwhile: what it says last about this log is an error.
    if (health_->broken()) return health_->error();
    durable_.store(reached);
    return reached;
  }

  [[nodiscard]] Sequence applied() const override { return applied_.load(); }
  [[nodiscard]] Sequence durable() const override { return durable_.load(); }
  [[nodiscard]] bool accepting() const override { return reserve_.accepting(); }

  Result<std::optional<std::string>> get(std::string_view key) const override {
    rocksdb::PinnableSlice value;
    const auto status = read(key, value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return unreadable(status);
    return std::optional(value.ToString());
  }

  Result<void> scan(std::string_view begin, std::string_view end,
                    const Visit& visit) const override {
    if (begin >= end) return {};
    const rocksdb::Slice bound = slice(end);
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
    for (it->Seek(slice(begin)); it->Valid(); it->Next()) {
      if (!visit(view(it->key()), view(it->value()))) return {};
    }
    if (!it->status().ok()) return unreadable(it->status());
    return {};
  }

  Result<void> scan_back(std::string_view begin, std::string_view end,
                         const Visit& visit) const override {
    if (begin >= end) return {};
    const rocksdb::Slice bound = slice(begin);
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &bound;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
    it->SeekForPrev(slice(end));
    if (it->Valid() && view(it->key()) == end) it->Prev();
    for (; it->Valid(); it->Prev()) {
      if (!visit(view(it->key()), view(it->value()))) return {};
    }
    if (!it->status().ok()) return unreadable(it->status());
    return {};
  }

  Result<void> checkpoint(const std::string& folder) override {
    if (health_->broken()) return health_->error();
    const std::string target = std::filesystem::absolute(folder).lexically_normal().string();
    const auto failed = [&](const std::string& why) {
      return Error{Code::unavailable,
                   "cannot copy the store in " + folder_ + " to " + folder + ": " + why};
    };
    rocksdb::Checkpoint* made = nullptr;
    auto status = rocksdb::Checkpoint::Create(db_.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    // The log is copied, not flushed into a table first: a copy should not cost the writers.
    if (status.ok()) status = checkpoint->CreateCheckpoint(target, UINT64_MAX);
    if (!status.ok()) return failed(status.ToString());
    if (auto synced = sync_tree(target); !synced) return failed(synced.error().message);
    return {};
  }

 private:
  struct Turn {};

  rocksdb::Status read(std::string_view key, rocksdb::PinnableSlice& value) const {
    return db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), slice(key), &value);
  }

  Result<void> check(const std::vector<Condition>& conditions) const {
    for (const Condition& condition : conditions) {
      rocksdb::PinnableSlice value;
      const auto status = read(condition.key, value);
      if (!status.ok() && !status.IsNotFound()) return unreadable(status);
      const bool there = status.ok();
      const bool holds = condition.value ? there && view(value) == *condition.value : !there;
      if (!holds) return Error{Code::conflict, "a condition of the batch does not hold"};
    }
    return {};
  }

  Result<Sequence> write(const std::vector<Operation>& operations) {
    rocksdb::WriteBatch batch;
    auto status = add(operations, batch);
    rocksdb::WriteOptions options;  // into the log, without waiting for the disk
    options.sync = false;
    options.disableWAL = false;
    if (status.ok() && batch.Count() > 0) status = db_->Write(options, &batch);
    if (!status.ok()) {
      health_->breaks(status);
      return health_->error();
    }
    reserve_.wrote(batch.GetDataSize());
    return applied_.fetch_add(1) + 1;
  }

  [[nodiscard]] Error unreadable(const rocksdb::Status& status) const {
    return {Code::unavailable,
            "cannot read the store in " + folder_ + ": " + status.ToString() + ". " +
                (status.IsCorruption() ? restore_remedy : "See to the disk, then start again")};
  }

  const std::string folder_;
  const std::shared_ptr<Health> health_;
  Reserve reserve_;
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<Sequence> applied_{0}, durable_{0};
  Guarded<Turn> turn_;  // whose conditions are checked and whose batch is written, one at a time
};

// RocksDB makes a new, empty store where CURRENT is missing, over whatever else is there.
Result<void> check_current(const std::string& folder) {
  if (std::filesystem::exists(folder + "/CURRENT")) return {};
  std::error_code failed;
  for (std::filesystem::directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    const auto kind = it->path().extension();
    if (kind == ".sst" || kind == ".log") {
      return Error{Code::unavailable,
                   "the store in " + folder + " has lost its file CURRENT (but " +
                       it->path().filename().string() + " is there). " + restore_remedy};
    }
  }
  if (failed) return Error{Code::unavailable, "cannot read " + folder + ": " + failed.message()};
  return {};
}

Error cannot_open(const std::string& folder, const rocksdb::Status& status) {
  std::string text = status.ToString();
  // A table that is missing is last looked for by the name it would have in LevelDB.
  if (const auto at = text.find(".ldb: "); at != std::string::npos) text.replace(at, 4, ".sst");
  std::string remedy = "See to the disk and the rights of the folder, then start again";
  if (status.IsIOError() && text.find("/LOCK:") != std::string::npos) {
    remedy = "Another process or another store of this one uses it: stop that one first";
  } else if (status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound() ||
             text.find("No such file") != std::string::npos) {
    remedy = restore_remedy;
  }
  return {Code::unavailable, "cannot open the store in " + folder + ": " + text + ". " + remedy};
}

}  // namespace

Result<std::unique_ptr<Store>> open_rocks_store(const RocksOptions& options,
                                                const MonotonicClock& clock) {
  if (::mkdir(options.folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{Code::unavailable, "cannot make " + options.folder + ": " + std::strerror(errno)};
  }
  if (auto checked = check_current(options.folder); !checked) return checked.error();
  if (auto checked = check_logs(options.folder); !checked) return checked.error();
  auto health = std::make_shared<Health>(options.folder);
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(settings(options, health), options.folder, &db);
  if (!status.ok()) return cannot_open(options.folder, status);
  return std::unique_ptr<Store>(
      std::make_unique<RocksStore>(options, clock, db, std::move(health)));
}

}  // namespace gnomon::store
