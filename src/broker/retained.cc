#include "broker/retained.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "broker/records.h"
#include "message/message.h"
#include "topic/topic.h"

namespace gnomon::broker {

namespace {

using partition::SlotId;
using records::Table;

// The topics that `filter` can match begin with this.
std::string_view fixed_part(std::string_view filter) {
  const auto wildcard = filter.find_first_of("+#");
  if (wildcard == std::string_view::npos) return filter;
  std::string_view fixed = filter.substr(0, wildcard);
  // "a/#" matches "a" too (MQTT 5 §4.7.1.2).
  if (filter[wildcard] == '#' && !fixed.empty()) fixed.remove_suffix(1);
  return fixed;
}

// False: the value is no retained message.
bool take(RetainedPage& page, std::string_view value, std::size_t& bytes) {
  records::Retained record;
  if (!record.read(value) || !message::decode(as_bytes(record.message))) return false;
  page.entries.push_back({page.filter, record.run, std::string(record.message)});
  bytes += value.size();
  return true;
}

Error damaged(std::string_view topic) {
  return {Code::unavailable,
          "the store holds a damaged record of what is retained under the topic '" +
              std::string(topic) + "'; restore a backup (gnomon restore)"};
}

Result<void> read_exact(const store::Store& store, const std::string& filter, int owner, int owners,
                        RetainedPage& page, std::size_t& bytes) {
  const SlotId id = partition::slot_of(partition::KeyKind::topic, filter);
  if (partition::thread_of(id, owners) != owner) return {};
  auto value = store.get(records::key(Table::retained, id, filter));
  if (!value) return value.error();
  if (*value && !take(page, **value, bytes)) return damaged(filter);
  return {};
}

// Goes on at page.slot and page.after; leaves them where the page was full.
Result<void> read_wildcard(const store::Store& store, const std::string& filter, int owners,
                           RetainedPage& page, std::size_t& bytes, std::size_t& looked_at) {
  const std::string_view fixed = fixed_part(filter);
  for (; page.slot < partition::slots; page.slot += owners) {
    const std::string prefix =
        records::key(Table::retained, SlotId(static_cast<std::uint8_t>(page.slot)), fixed);
    const std::string begin = page.after.empty() ? prefix : page.after + '\0';
    page.after.clear();
    std::optional<Error> wrong;
    auto scanned = store.scan(
        begin, records::behind(prefix), [&](std::string_view key, std::string_view value) {
          const std::string_view topic = records::rest(key);
          if (topic::matches(filter, topic) && !take(page, value, bytes)) {
            wrong = damaged(topic);
            return false;
          }
          if (bytes < limits::page_bytes && ++looked_at < limits::retained_per_scan) return true;
          page.after = key;
          return false;
        });
    if (wrong) return *wrong;
    if (!scanned || !page.after.empty()) return scanned;
  }
  return {};
}

}  // namespace

Result<void> read_retained(const store::Store& store, const RetainedRequest& request, int owner,
                           int owners, RetainedPage& page) {
  const auto& filters = *request.filters;
  std::size_t bytes = 0, looked_at = 0;
  page.filter = request.filter;
  page.slot = std::max(request.slot, owner);
  page.after = request.after;
  for (; page.filter < filters.size(); ++page.filter, page.slot = owner) {
    const std::string& filter = filters[page.filter];
    auto read = topic::has_wildcard(filter)
                    ? read_wildcard(store, filter, owners, page, bytes, looked_at)
                    : read_exact(store, filter, owner, owners, page, bytes);
    if (!read || !page.after.empty()) return read;
    if (bytes >= limits::page_bytes) {
      ++page.filter;
      page.slot = owner;
      return {};
    }
  }
  return {};
}

}  // namespace gnomon::broker
