#include "server/status.h"

#include <array>
#include <string>

#include "base/version.h"

namespace gnomon::server {

namespace {

using metrics::Kind;
using metrics::Row;

// A label's text must outlive the table.
const char* version_label() {
  static const std::string label = "version=\"" + std::string(version()) + "\"";
  return label.c_str();
}

metrics::Table rows() {
  constexpr const char* durability =
      "What an acknowledgement means: 1 for the mode in force; memory: gone with the process.";
  constexpr const char* jumps = "Times the wall clock was set by more than half a minute.";
  static const auto table = std::to_array<Row>({
      {"gnomon_build_info", Kind::gauge, version_label(), "1; the version that runs."},
      {"gnomon_durability", Kind::gauge, "mode=\"disk\"", durability},
      {"gnomon_durability", Kind::gauge, "mode=\"memory\"", durability},
      {"gnomon_clock_jumps_total", Kind::counter, "direction=\"forward\"", jumps},
      {"gnomon_clock_jumps_total", Kind::counter, "direction=\"back\"", jumps},
      {"gnomon_clock_doubted", Kind::gauge, "",
       "1 while a jump forward is not believed, and what it makes due is held."},
      {"gnomon_clock_unset", Kind::gauge, "",
       "1 while the wall clock shows a time that cannot be, and is not looked at."},
      {"gnomon_syncs_total", Kind::counter, "", "Times the store was made durable."},
      {"gnomon_sync_seconds_total", Kind::counter, "", "Time that took, in seconds.", 1e-9},
      {"gnomon_sync_seconds_max", Kind::gauge, "", "The longest of them, in seconds.", 1e-9},
      {"gnomon_accept_failures_total", Kind::counter, "",
       "Connections that could not be accepted: descriptors or memory had run out."},
  });
  return table;
}

}  // namespace

metrics::Sample status(const Config& config, const GuardedWallClock::Stats& clock,
                       const partition::Syncer::Stats& syncs, std::uint64_t accept_failures) {
  const bool memory = config.durability == Durability::memory;
  return {rows(),
          {1, memory ? 0U : 1U, memory ? 1U : 0U, clock.forward, clock.back, clock.doubts ? 1U : 0U,
           clock.unset ? 1U : 0U, syncs.syncs, syncs.total_ns, syncs.max_ns, accept_failures}};
}

}  // namespace gnomon::server
