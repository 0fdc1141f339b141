#include "records/transaction.h"

#include <algorithm>

namespace gnomon::records {

bool Transaction::in_erased_range(std::string_view key) const {
  return std::ranges::any_of(ranges_, [&](const store::EraseRange& range) {
    return key >= range.begin && key < range.end;
  });
}

std::optional<std::string_view> Transaction::get(std::string_view key) {
  if (const auto it = writes_.find(key); it != writes_.end()) return it->second;
  if (in_erased_range(key)) return std::nullopt;
  auto it = reads_.find(key);
  if (it == reads_.end()) {
    auto value = store_.get(key);
    if (!value) {
      fail(value.error());
      return std::nullopt;
    }
    it = reads_.emplace(key, std::move(value).value()).first;
  }
  return it->second;
}

std::optional<std::string> Transaction::peek(std::string_view key) {
  if (const auto it = writes_.find(key); it != writes_.end()) return it->second;
  if (in_erased_range(key)) return std::nullopt;
  auto value = store_.get(key);
  if (value) return std::move(value).value();
  fail(value.error());
  return std::nullopt;
}

void Transaction::scan(std::string_view begin, std::string_view end,
                       const store::Store::Visit& visit) {
  if (auto scanned = store_.scan(begin, end, visit); !scanned) fail(scanned.error());
}

void Transaction::scan_back(std::string_view begin, std::string_view end,
                            const store::Store::Visit& visit) {
  if (auto scanned = store_.scan_back(begin, end, visit); !scanned) fail(scanned.error());
}

void Transaction::put(std::string_view key, std::string value) {
  writes_.insert_or_assign(std::string(key), std::move(value));
}

void Transaction::erase(std::string_view key) {
  writes_.insert_or_assign(std::string(key), std::nullopt);
}

void Transaction::erase_range(std::string begin, std::string end) {
  if (begin >= end) return;
  writes_.erase(writes_.lower_bound(begin), writes_.lower_bound(end));
  ranges_.push_back({std::move(begin), std::move(end)});
}

// A value that is written as it was read changes nothing: others hold it in place by the condition.
bool Transaction::changes(const Values::value_type& write) const {
  const auto it = reads_.find(write.first);
  return it == reads_.end() || it->second != write.second;
}

Result<store::Sequence> Transaction::commit(store::Store& store) {
  store::Batch batch;
  bool adds = false;
  for (const auto& range : ranges_) batch.operations.emplace_back(range);
  for (auto& write : writes_) {
    if (!changes(write) && !in_erased_range(write.first)) continue;
    adds = adds || write.second;
    if (write.second) {
      batch.operations.emplace_back(store::Put{write.first, std::move(*write.second)});
    } else {
      batch.operations.emplace_back(store::Erase{write.first});
    }
  }
  // An answer without a write may still confirm what another one has written a moment ago.
  if (batch.operations.empty()) return store.applied();
  if (adds && !always_ && !store.accepting()) {
    return Error{Code::unavailable,
                 "the disk has less free space than disk.reserve: nothing is added until there is "
                 "more"};
  }
  // Batches with conditions take turns; one without could come between another's look and its
  // write.
  if (reads_.empty()) {
    const std::string& key = writes_.empty() ? ranges_.front().begin : writes_.begin()->first;
    auto value = store.get(key);
    if (!value) return value.error();
    reads_.emplace(key, std::move(value).value());
  }
  for (auto& [key, value] : reads_) batch.conditions.push_back({key, std::move(value)});
  return store.apply(batch);
}

}  // namespace gnomon::records
