#include "metrics/metrics.h"

#include <set>
#include <stdexcept>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace gnomon::metrics {
namespace {

using Label = prometheus::ClientMetric::Label;

[[noreturn]] void bad_row(const Row& row, const char* why) {
  throw std::logic_error(std::string("metric ") + row.name + "{" + row.labels + "}: " + why);
}

// `key="value"` pairs, comma-separated. Values are ours: without quotes or backslashes.
std::vector<Label> parse_labels(const Row& row) {
  std::vector<Label> labels;
  std::string_view rest = row.labels;
  while (!rest.empty()) {
    const std::size_t equals = rest.find("=\"");
    if (equals == std::string_view::npos || equals == 0) bad_row(row, "labels are key=\"value\"");
    const std::size_t quote = rest.find('"', equals + 2);
    if (quote == std::string_view::npos) bad_row(row, "a label's value has no end");
    labels.push_back({std::string(rest.substr(0, equals)),
                      std::string(rest.substr(equals + 2, quote - equals - 2))});
    rest.remove_prefix(quote + 1);
    if (rest.empty()) break;
    if (rest.front() != ',' || rest.size() == 1) bad_row(row, "labels are separated by commas");
    rest.remove_prefix(1);
  }
  return labels;
}

prometheus::ClientMetric metric_of(const Row& row, std::uint64_t value) {
  prometheus::ClientMetric metric;
  metric.label = parse_labels(row);
  if (row.kind == Kind::counter) {
    metric.counter.value = static_cast<double>(value) * row.scale;
  } else {
    metric.gauge.value = static_cast<double>(value) * row.scale;
  }
  return metric;
}

prometheus::MetricType type_of(const Row& row) {
  return row.kind == Kind::counter ? prometheus::MetricType::Counter
                                   : prometheus::MetricType::Gauge;
}

// One table with its values added up over the samples.
struct Sum {
  Table table;
  std::vector<std::uint64_t> values;
};

std::vector<Sum> add_up(std::span<const Sample> samples) {
  std::vector<Sum> sums;  // few tables: searched one by one
  for (const Sample& sample : samples) {
    if (sample.values.size() != sample.table.size()) {
      throw std::logic_error("a metrics sample has not one value per row");
    }
    Sum* sum = nullptr;
    for (Sum& each : sums) {
      if (each.table.data() == sample.table.data()) sum = &each;
    }
    if (sum == nullptr) {
      sums.push_back({sample.table, sample.values});
      continue;
    }
    for (std::size_t i = 0; i < sample.values.size(); ++i) sum->values[i] += sample.values[i];
  }
  return sums;
}

}  // namespace

std::string exposition(std::span<const Sample> samples) {
  std::vector<prometheus::MetricFamily> families;
  std::set<std::string_view> names;
  for (const Sum& sum : add_up(samples)) {
    const Row* previous = nullptr;
    for (std::size_t i = 0; i < sum.table.size(); ++i) {
      const Row& row = sum.table[i];
      if (previous == nullptr || std::string_view(previous->name) != row.name) {
        if (!names.insert(row.name).second) bad_row(row, "rows of one name stand together");
        families.push_back({row.name, row.help, type_of(row), {}});
      } else if (previous->kind != row.kind || std::string_view(previous->help) != row.help) {
        bad_row(row, "rows of one name share kind and help");
      }
      families.back().metric.push_back(metric_of(row, sum.values[i]));
      previous = &row;
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace gnomon::metrics
