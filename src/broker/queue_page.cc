#include "broker/queue_page.h"

#include <utility>

#include "base/limits.h"
#include "message/message.h"

namespace gnomon::broker {

using records::Table;

namespace {

// Fetches the shared bodies of the page's entries. False: one is missing, or not all are messages.
bool fetch_bodies(const store::Store& store, partition::SlotId slot, Page& page) {
  std::uint64_t last = 0;
  std::string body;
  for (Page::Entry& found : page.entries) {
    records::Entry entry;
    if (!entry.read(found.value)) return false;
    if (entry.body == 0) {
      if (!entry.released && !message::decode(as_bytes(entry.message))) return false;
      continue;
    }
    if (entry.body != last) {
      auto value = store.get(records::key(Table::body, slot, entry.body));
      if (!value || !*value) return false;
      body = std::move(**value);
      if (!message::decode(as_bytes(body))) return false;
      last = entry.body;
    }
    found.body = body;
  }
  return true;
}

}  // namespace

void read_queue(const store::Store& store, Table table, partition::SlotId slot,
                std::uint64_t number, std::uint64_t from, std::uint64_t to, std::size_t bytes_max,
                bool bodies, Page& page) {
  std::size_t bytes = 0;
  page.read_to = to;
  const auto scanned =
      store.scan(records::key(table, slot, number, from), records::key(table, slot, number, to),
                 [&](std::string_view key, std::string_view value) {
                   std::string_view numbers = records::rest(key).substr(sizeof number);
                   const std::uint64_t sequence = records::take_number(numbers);
                   if (bytes >= bytes_max || page.entries.size() >= limits::page_messages) {
                     page.read_to = sequence;
                     return false;
                   }
                   bytes += value.size();
                   page.entries.push_back({sequence, std::string(value), {}});
                   return true;
                 });
  page.damaged = !scanned || (bodies && !fetch_bodies(store, slot, page));
}

}  // namespace gnomon::broker
