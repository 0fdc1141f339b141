#include "operations/call_counts.h"

#include <array>

#include "operations/handler.h"

namespace gnomon::operations {

namespace {

using metrics::Kind;

constexpr const char* refused_help =
    "Requests of the AWS APIs that did not come to their operation, by reason (docs/metrics.md).";
constexpr std::array<const char*, 5> reasons{"reason=\"signature\"", "reason=\"unknown\"",
                                             "reason=\"input\"", "reason=\"policy\"",
                                             "reason=\"busy\""};
static_assert(reasons.size() == static_cast<std::size_t>(CallCounts::Refused::count_));

}  // namespace

CallCounts::CallCounts() {
  for (const api::Service* service : api::services()) {
    for (const api::Operation& operation : service->operations) {
      if (handler_of(operation) == nullptr) continue;
      operations_.push_back(&operation);
      counts_[&operation];
      labels_.push_back("service=\"" + std::string(service->name) + "\",operation=\"" +
                        std::string(operation.name) + '"');
    }
  }
  for (const std::string& labels : labels_) {
    rows_.push_back({"gnomon_api_calls_total", Kind::counter, labels.c_str(),
                     "Calls of operations of the AWS APIs that were allowed."});
  }
  for (const std::string& labels : labels_) {
    rows_.push_back({"gnomon_api_errors_total", Kind::counter, labels.c_str(),
                     "Those of gnomon_api_calls_total that were answered with an error."});
  }
  for (const std::string& labels : labels_) {
    rows_.push_back({"gnomon_api_seconds_total", Kind::counter, labels.c_str(),
                     "Time that operations took, without waiting for the disk.", 1e-6});
  }
  for (const char* reason : reasons) {
    rows_.push_back({"gnomon_api_refused_total", Kind::counter, reason, refused_help});
  }
}

void CallCounts::called(const api::Operation& operation, bool ok, std::chrono::nanoseconds took) {
  Counts& counts = counts_.at(&operation);
  counts.calls.fetch_add(1, std::memory_order_relaxed);
  if (!ok) counts.errors.fetch_add(1, std::memory_order_relaxed);
  counts.microseconds.fetch_add(static_cast<std::uint64_t>(took.count() / 1000),
                                std::memory_order_relaxed);
}

metrics::Sample CallCounts::sample() const {
  std::vector<std::uint64_t> values;
  values.reserve(rows_.size());
  for (const auto& what : {&Counts::calls, &Counts::errors, &Counts::microseconds}) {
    for (const api::Operation* operation : operations_)
      values.push_back((counts_.at(operation).*what).load(std::memory_order_relaxed));
  }
  for (const auto& count : refused_) values.push_back(count.load(std::memory_order_relaxed));
  return {rows_, std::move(values)};
}

}  // namespace gnomon::operations
