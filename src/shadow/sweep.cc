#include "shadow/sweep.h"

#include <optional>

#include "partition/slots.h"
#include "records/key.h"
#include "shadow/records.h"

namespace gnomon::shadow {

bool SweepPlace::done() const { return slot >= partition::slots; }

Result<std::vector<Deleted>> long_deleted(const store::Store& store, SweepPlace& place, int step,
                                          Seconds now, std::size_t most) {
  std::vector<Deleted> found;
  if (now < remembered) {
    place.slot = partition::slots;
    return found;
  }
  bool damaged = false;
  for (; !place.done(); place.slot += step, place.after.clear()) {
    const records::Key all(static_cast<std::uint8_t>(Table::deleted),
                           static_cast<std::uint8_t>(place.slot));
    const std::string begin =
        place.after.empty() ? std::string(all.view()) : place.after + std::string(1, '\0');
    // Those of that very second are long ago, too.
    const records::Key end = records::Key(all).number(now - remembered + 1);
    const auto scanned = store.scan(begin, end, [&](std::string_view key, std::string_view) {
      records::KeyReader parts(records::parts_of(key));
      parts.number();
      Deleted one{std::string(key), {parts.text(), std::string(parts.rest())}};
      damaged = !parts.good();
      if (damaged) return false;
      place.after = key;
      found.push_back(std::move(one));
      return found.size() < most;
    });
    if (!scanned) return scanned.error();
    if (damaged) {
      return Error{Code::unavailable,
                   "the store holds a damaged note of a deleted shadow in slot " +
                       std::to_string(place.slot) + "; restore a backup (gnomon restore)"};
    }
    if (found.size() == most) break;
  }
  return found;
}

}  // namespace gnomon::shadow
