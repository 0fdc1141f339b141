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
  static const auto table = std::to_array<Row>({
      {"gnomon_build_info", Kind::gauge, version_label(), "1; the version that runs."},
      {"gnomon_durability", Kind::gauge, "mode=\"disk\"", durability},
      {"gnomon_durability", Kind::gauge, "mode=\"memory\"", durability},
  });
  return table;
}

}  // namespace

metrics::Sample status(const Config& config) {
  const bool memory = config.durability == Durability::memory;
  return {rows(), {1, memory ? 0U : 1U, memory ? 1U : 0U}};
}

}  // namespace gnomon::server
