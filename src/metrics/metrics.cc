#include "metrics/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstring>
#include <map>

namespace gnomon::metrics {

namespace {

// `a="x",b="y"`, as the rows' own authors wrote it: values hold no quotes.
std::vector<prometheus::ClientMetric::Label> parse_labels(std::string_view text) {
  std::vector<prometheus::ClientMetric::Label> labels;
  while (!text.empty()) {
    const std::size_t equals = text.find("=\"");
    const std::size_t end = text.find('"', equals + 2);
    labels.push_back({std::string(text.substr(0, equals)),
                      std::string(text.substr(equals + 2, end - equals - 2))});
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return labels;
}

void append(const Table& table, const std::vector<std::uint64_t>& values,
            std::vector<prometheus::MetricFamily>& families) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Row& row = table[i];
    if (families.empty() || families.back().name != row.name) {
      prometheus::MetricFamily& family = families.emplace_back();
      family.name = row.name;
      family.help = row.help;
      family.type = row.kind == Kind::counter ? prometheus::MetricType::Counter
                                              : prometheus::MetricType::Gauge;
    }
    prometheus::ClientMetric& metric = families.back().metric.emplace_back();
    metric.label = parse_labels(row.labels);
    const auto value = static_cast<double>(values[i]);
    if (row.kind == Kind::counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
}

}  // namespace

std::string exposition(std::span<const Sample> samples) {
  std::vector<const Sample*> tables;  // the first sample of each table, in order
  std::map<const Row*, std::vector<std::uint64_t>> sums;
  for (const Sample& sample : samples) {
    auto [sum, fresh] = sums.try_emplace(sample.table.data(), sample.values);
    if (fresh) {
      tables.push_back(&sample);
      continue;
    }
    for (std::size_t i = 0; i < sample.values.size(); ++i) sum->second[i] += sample.values[i];
  }
  std::vector<prometheus::MetricFamily> families;
  for (const Sample* first : tables) append(first->table, sums[first->table.data()], families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace gnomon::metrics
