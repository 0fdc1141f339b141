#include "registry/page.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

namespace gnomon::registry {

namespace {

constexpr char token_version = 1;
constexpr std::size_t mark_size = 8;
constexpr std::size_t filtered_at_once = 500;  // entries read from the store in one go

// What ties a token to its listing.
std::string mark_of(std::string_view listing) {
  const crypto::Sha256 hash = crypto::sha256(as_bytes(listing));
  std::string mark{token_version};
  return mark.append(as_text(hash).substr(0, mark_size));
}

// Where in the store a listing goes on.
struct Range {
  std::string begin, end;

  Range(const Listing& listing, std::string_view place) {
    const records::Key first = records::Key(listing.prefix).last(listing.from);
    begin = first.view();
    end = first.behind();
    if (!place.empty()) pass(listing, place);
  }
  // Behind the entry, in the direction of the listing.
  void pass(const Listing& listing, std::string_view rest) {
    std::string key(listing.prefix.view());
    key += rest;
    if (listing.back) {
      end = std::move(key);
    } else {
      begin = std::move(key);
      begin += '\0';
    }
  }
};

std::vector<Entry> scan(records::Transaction& records, const Listing& listing, const Range& range,
                        std::size_t most) {
  std::vector<Entry> found;
  const auto visit = [&](std::string_view key, std::string_view value) {
    found.push_back({std::string(key.substr(listing.prefix.view().size())), std::string(value)});
    return found.size() < most;
  };
  if (listing.back) {
    records.scan_back(range.begin, range.end, visit);
  } else {
    records.scan(range.begin, range.end, visit);
  }
  return found;
}

// The filters stand in the name, and what else differs in the prefix.
std::string full_name(const Listing& listing) {
  return listing.name + (listing.back ? " back " : " ") + std::string(listing.prefix.view()) +
         std::string(listing.from);
}

}  // namespace

Reply<std::size_t> limit_of(const PageRequest& request) {
  if (request.limit == 0) return limits::page_entries_max;
  if (request.limit < 0 || static_cast<std::size_t>(request.limit) > limits::page_entries_max) {
    return invalid("The number of results must be from 1 to " +
                   std::to_string(limits::page_entries_max) + ".");
  }
  return static_cast<std::size_t>(request.limit);
}

Reply<std::string> place_of(std::string_view listing, const PageRequest& request) {
  if (request.token.empty()) return std::string();
  const auto bytes = crypto::from_base64(request.token);
  const std::string mark = mark_of(listing);
  if (!bytes || !bytes->starts_with(mark)) {
    return invalid(
        "Invalid nextToken or marker: it must be as the page before has given it, with the same "
        "filters.");
  }
  return bytes->substr(mark.size());
}

std::string token_of(std::string_view listing, std::string_view place) {
  return crypto::base64(as_bytes(mark_of(listing).append(place)));
}

Reply<Page<Entry>> list(records::Transaction& records, const Listing& listing,
                        const PageRequest& request) {
  const std::string name = full_name(listing);
  const auto limit = limit_of(request);
  if (!limit) return limit.error();
  auto place = place_of(name, request);
  if (!place) return place.error();
  Range range(listing, *place);
  // Of what is filtered few may be left.
  const std::size_t most = listing.keep ? std::max(*limit + 1, filtered_at_once) : *limit + 1;
  Page<Entry> page;
  for (std::size_t examined = 0;;) {
    std::vector<Entry> found = scan(records, listing, range, most);
    const bool last = found.size() < most;
    for (Entry& entry : found) {
      if (page.items.size() == *limit || examined == limits::page_examined_max) {
        page.next_token = token_of(name, *place);
        return page;
      }
      ++examined;
      *place = entry.rest;
      if (!listing.keep || listing.keep(entry)) page.items.push_back(std::move(entry));
    }
    if (last) return page;
    range.pass(listing, *place);
  }
}

Reply<Page<std::string>> cut(std::vector<std::string> names, std::string_view listing,
                             const PageRequest& request) {
  const auto limit = limit_of(request);
  if (!limit) return limit.error();
  const auto place = place_of(listing, request);
  if (!place) return place.error();
  std::ranges::sort(names);
  names.erase(names.begin(),
              place->empty() ? names.begin() : std::ranges::upper_bound(names, *place));
  Page<std::string> page;
  if (names.size() > *limit) {
    names.resize(*limit);
    page.next_token = token_of(listing, names.back());
  }
  page.items = std::move(names);
  return page;
}

}  // namespace gnomon::registry
