// Listings by pages, with tokens that say where the next one begins.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "records/key.h"
#include "records/transaction.h"
#include "registry/failure.h"

namespace gnomon::registry {

struct PageRequest {
  int limit = 0;      // entries, 1 to 250 (limits::page_entries_max); 0: as many as may be
  std::string token;  // as the page before has given it; empty: the first page
};

// A page may be shorter than its limit, even empty, and not be the last.
template <class T>
struct Page {
  std::vector<T> items;
  std::string next_token;  // empty: this is the last page
};

// ---- for the module, and for others that list records of their own

// An entry of a table.
struct Entry {
  std::string rest;  // of its key, behind the prefix
  std::string value;
};

struct Listing {
  std::string name;         // of the operation with its filters: a token holds for it only
  records::Key prefix;      // of the keys that are listed
  std::string_view from{};  // what the rest of a key must begin with
  bool back = false;        // from the last key to the first
  // Whether an entry belongs to the listing; none: all. At most limits::page_examined_max of them
  // are looked at for a page.
  std::function<bool(const Entry& entry)> keep{};
};
// Errors: invalid_request (a limit or token that cannot be).
Reply<Page<Entry>> list(records::Transaction& records, const Listing& listing,
                        const PageRequest& request);

// Token and place of a listing that list() does not do. Errors as list(); an empty token is the
// place "".
Reply<std::string> place_of(std::string_view listing, const PageRequest& request);
[[nodiscard]] std::string token_of(std::string_view listing, std::string_view place);
// The limit of a request. Errors: invalid_request.
Reply<std::size_t> limit_of(const PageRequest& request);

// A page of a list that is short enough to be at hand whole, in the order of its names.
Reply<Page<std::string>> cut(std::vector<std::string> names, std::string_view listing,
                             const PageRequest& request);

// A page of what `make` makes of each entry.
template <class T, class E, class F>
Reply<Page<T>> convert(Reply<Page<E>> entries, F&& make) {
  if (!entries) return entries.error();
  Page<T> page;
  page.next_token = std::move(entries->next_token);
  page.items.reserve(entries->items.size());
  for (E& entry : entries->items) page.items.push_back(make(entry));
  return page;
}

}  // namespace gnomon::registry
