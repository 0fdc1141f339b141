#include "server/clock_record.h"

#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "broker/records.h"

namespace gnomon::server {

namespace {

namespace records = broker::records;

constexpr const char* now_name = "clock.now";
constexpr const char* shown_name = "clock.shown";
constexpr const char* doubted_name = "clock.doubted";

std::string key(const char* name) { return records::key(records::Table::meta, {}, name); }

store::Put put(const char* name, std::int64_t number) {
  return {key(name), records::write_number(static_cast<std::uint64_t>(number))};
}

// Nothing: there is none.
Result<std::optional<std::int64_t>> get(const store::Store& store, const char* name) {
  auto value = store.get(key(name));
  if (!value) return value.error();
  if (!*value) return std::optional<std::int64_t>();
  std::uint64_t number = 0;
  if (!records::read_number(**value, number) || number > INT64_MAX / 2) {
    return Error{Code::unavailable, std::string("the store holds a damaged record ") + name +
                                        "; restore a backup (gnomon restore)"};
  }
  return std::optional(static_cast<std::int64_t>(number));
}

}  // namespace

Result<void> resume_clock(const store::Store& store, GuardedWallClock& clock) {
  const auto now = get(store, now_name);
  if (!now) return now.error();
  const auto shown = get(store, shown_name);
  if (!shown) return shown.error();
  const auto doubted = get(store, doubted_name);
  if (!doubted) return doubted.error();
  if (!*now) {
    clock.resume({});
  } else {
    clock.resume(WallGuard::Record{{**now}, {shown->value_or(0)}, doubted->value_or(0) != 0});
  }
  return {};
}

void keep_clock(const GuardedWallClock& clock, store::Batch& batch) {
  const WallGuard::Record record = clock.record();
  batch.operations.emplace_back(put(now_name, record.now.ms));
  batch.operations.emplace_back(put(shown_name, record.shown.ms));
  batch.operations.emplace_back(put(doubted_name, record.doubted ? 1 : 0));
}

ClockRecord::ClockRecord(const GuardedWallClock& clock, store::Store& store,
                         partition::Syncer& syncer, runtime::Loop& loop,
                         std::function<void(const Error&)> on_broken)
    : clock_(clock),
      store_(store),
      syncer_(syncer),
      loop_(loop),
      on_broken_(std::move(on_broken)),
      asked_(loop.now()) {
  loop_.timers().arm(*this, loop_.now() + limits::clock_record_period);
}

void ClockRecord::write() {
  store::Batch batch;
  keep_clock(clock_, batch);
  const auto applied = store_.apply(batch);
  if (!applied && on_broken_) on_broken_(applied.error());
}

void ClockRecord::on_timer() {
  loop_.timers().arm(*this, loop_.now() + limits::clock_record_period);
  write();
  if (loop_.now() - asked_ < limits::clock_sync_period) return;
  asked_ = loop_.now();
  syncer_.request(0);
}

}  // namespace gnomon::server
