// Metrics: one table a module; counters are plain words of their owner, gathered on scrape.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gnomon::metrics {

enum class Kind : std::uint8_t { counter, gauge };

// One metric. `labels` is fixed text like `reason="slow_subscriber"`: no label ever holds what a
// client chose. Rows with the same name stand together and share kind and help.
struct Row {
  const char* name;  // "gnomon_messages_received_total"
  Kind kind;
  const char* labels;  // "" or `reason="…"`, `qos="0"`, …, comma-separated
  const char* help;    // with the unit
  double scale = 1;    // what one of the values is in that unit: 0.001 for milliseconds in seconds
};

// A table is an array of rows, and its values an array of as many words, in the same order.
// A module declares an enum for the positions beside its table:
//   enum Metric { messages_in, messages_out, metrics_count };
//   extern const std::array<metrics::Row, metrics_count> rows;
using Table = std::span<const Row>;

// Values of one table, for instance of one shard. Added up over owners by gather().
struct Sample {
  Table table;
  std::vector<std::uint64_t> values;
};

// The Prometheus text exposition (version 0.0.4) of the samples: those of the same table are added
// up. Through prometheus-cpp's serializer.
[[nodiscard]] std::string exposition(std::span<const Sample> samples);

}  // namespace gnomon::metrics
