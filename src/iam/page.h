// Listings by pages, with markers that say where the next one begins.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "iam/failure.h"

namespace gnomon::iam {

struct PageRequest {
  int limit = 0;       // entries, 1 to 1000 (limits::iam_page_max); 0: 100
  std::string marker;  // as the page before has given it; empty: the first page
};

template <class T>
struct Page {
  std::vector<T> items;
  std::string marker;  // of the next page; empty: this is the last one
};

// ---- internal to the module

// Where a page begins: behind an entry, or at the first ("").
struct Place {
  std::string behind;
  std::size_t limit = 0;
};
// Errors: validation (a limit or marker that cannot be).
Reply<Place> place_of(const PageRequest& request);
[[nodiscard]] std::string marker_of(std::string_view last);

// A page of entries that are at hand whole, in the order of `name_of(entry)`.
template <class T, class F>
Reply<Page<T>> cut(const std::vector<T>& all, const PageRequest& request, F&& name_of) {
  const auto place = place_of(request);
  if (!place) return place.error();
  Page<T> page;
  for (const T& entry : all) {
    if (!place->behind.empty() && name_of(entry) <= place->behind) continue;
    if (page.items.size() == place->limit) {
      page.marker = marker_of(name_of(page.items.back()));
      break;
    }
    page.items.push_back(entry);
  }
  return page;
}

}  // namespace gnomon::iam
