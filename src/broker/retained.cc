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

bool has_expired(const message::Message& message, WallTime now) {
  return message.expires.ms != 0 && message.expires.ms <= now.ms;
}

// A place in a listing: the slot, then the text behind which its topics follow. Of a topic that is
// not listed for its length it is the beginning and a byte that no topic has: behind all that begin
// so, which are not listed either.
std::string place_of(SlotId slot, std::string_view topic) {
  std::string place(1, static_cast<char>(slot.value));
  place += topic.substr(0, limits::listed_topic_bytes_max);
  if (topic.size() > limits::listed_topic_bytes_max) place += '\xff';
  return place;
}

}  // namespace

Result<std::string> find_retained(const store::Store& store, std::string_view topic, WallTime now) {
  const SlotId id = partition::slot_of(partition::KeyKind::topic, topic);
  const auto value = store.get(records::key(Table::retained, id, topic));
  if (!value) return value.error();
  if (!*value) return std::string();
  records::Retained record;
  if (!record.read(**value)) return damaged(topic);
  const auto decoded = message::decode(as_bytes(record.message));
  if (!decoded) return damaged(topic);
  return has_expired(decoded->message, now) ? std::string() : std::string(record.message);
}

Result<RetainedList> list_retained(const store::Store& store, std::string_view after,
                                   std::size_t most, WallTime now) {
  std::string begin = records::prefix(Table::retained, SlotId(0));
  if (!after.empty()) {
    const SlotId slot(static_cast<std::uint8_t>(after.front()));
    begin = records::key(Table::retained, slot, after.substr(1)) + '\0';
  }
  const std::string end = records::behind(records::prefix(Table::retained, SlotId(255)));
  RetainedList list;
  std::size_t bytes = 0, looked_at = 0;
  bool more = false;
  std::optional<Error> wrong;
  auto scanned = store.scan(begin, end, [&](std::string_view key, std::string_view value) {
    const std::string_view topic = records::rest(key);
    const SlotId slot(static_cast<std::uint8_t>(key[2]));
    more = list.found.size() == most || bytes >= limits::retained_listed_bytes ||
           looked_at >= limits::retained_per_scan;
    if (more) return false;
    ++looked_at;
    bytes += value.size();
    list.after = place_of(slot, topic);
    records::Retained record;
    const auto decoded = record.read(value) ? message::decode(as_bytes(record.message))
                                            : Result<message::Decoded>(Error{});
    if (!decoded) {
      wrong = damaged(topic);
      return false;
    }
    const message::Message& message = decoded->message;
    if (topic.size() <= limits::listed_topic_bytes_max && !has_expired(message, now)) {
      list.found.push_back(
          {std::string(topic), message.payload.size(), message.qos, message.received});
    }
    return true;
  });
  if (wrong) return *wrong;
  if (!scanned) return scanned.error();
  if (!more) list.after.clear();
  return list;
}

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
