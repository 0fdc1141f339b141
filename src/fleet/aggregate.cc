#include "fleet/aggregate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include "base/limits.h"
#include "fleet/question.h"
#include "fleet/thing.h"
#include "fleet/walk.h"

namespace gnomon::fleet {

namespace {

using index::Value;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Reply;

Failure invalid_aggregation(std::string message) {
  return {Kind::invalid_aggregation, std::move(message)};
}
Failure too_many(const char* what, std::size_t most) {
  return invalid_aggregation("The query matches more " + std::string(what) + " than " +
                             std::to_string(most) + ": narrow it.");
}

// The type that a custom field has been given; empty: none.
std::string_view type_of(const index::Configuration& what, std::string_view field) {
  const auto found = std::ranges::find(what.thing_fields, field, &index::CustomField::name);
  return found == what.thing_fields.end() ? std::string_view() : found->type;
}

bool is_bool(std::string_view text) { return text == "true" || text == "false"; }

// Whether a value counts for a field of this type; without one each does. An attribute that is a
// number has two values, of which the number is taken.
bool counts(std::string_view type, const Value& value) {
  if (type == "Number") return value.kind == Value::Kind::number;
  if (type == "Boolean") return value.kind == Value::Kind::text && is_bool(value.text);
  return value.kind == Value::Kind::text || type.empty();
}

// Calls `take` for each thing that matches, with the values of the field that count.
Reply<Nothing> each_thing(const registry::Registry& registry, const Aggregate& aggregate,
                          const std::function<Reply<Nothing>(const std::vector<Value>&)>& take) {
  const auto question = ask_things(registry, aggregate.query);
  if (!question) return question.error();
  if (auto checked = check_field(question->what, aggregate.field); !checked)
    return invalid_aggregation(checked.error().message);
  const std::string_view type = type_of(question->what, aggregate.field);
  Things things(registry, question->what);
  Walk walk(registry.store, plan_of(registry, *question));
  std::vector<std::string> texts;  // what the values refer to is the visitor's for a moment only
  std::vector<Value> values;
  std::string at;
  for (std::size_t seen = 0;; ++seen) {
    auto name = walk.next(at);
    if (walk.failure()) return Failure(*walk.failure());
    if (!name) return Nothing{};
    if (seen == limits::aggregated_max) return too_many("things", limits::aggregated_max);
    at = *std::move(name);
    const auto thing = things.find(at);
    if (!thing) return thing.error();
    if (*thing == nullptr) continue;
    const bool matches = index::matches(question->query, **thing);
    texts.clear();
    values.clear();
    if (matches) {
      (*thing)->each(aggregate.field, [&](const Value& value) {
        if (!counts(type, value)) return false;
        texts.emplace_back(value.text);
        values.push_back(value);
        return false;
      });
    }
    if ((*thing)->failure()) return Failure(*(*thing)->failure());
    for (std::size_t i = 0; i < values.size(); ++i) values[i].text = texts[i];
    if (!matches) continue;
    if (auto taken = take(values); !taken) return taken;
  }
}

std::optional<double> number_in(const Value& value) {
  if (value.kind == Value::Kind::number) return value.number;
  if (is_bool(value.text)) return value.text == "true" ? 1.0 : 0.0;
  return std::nullopt;
}

// The shortest text that reads as the number again.
std::string text_of(double number) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return {digits, end};
}

// Each different value of a thing once: a number that is written as an attribute is one, too. By
// what they are compared by; with what is shown, the first of equal ones.
std::map<std::string, std::string> distinct(const std::vector<Value>& values) {
  std::map<std::string, std::string> all;
  for (const Value& value : values) {
    if (value.kind == Value::Kind::text) {
      const auto number = index::number_of(value.text);
      all.emplace(number ? text_of(*number) : index::folded(value.text), value.text);
    } else {
      all.emplace(text_of(value.number), text_of(value.number));
    }
  }
  return all;
}

}  // namespace

// One pass, as Welford has it: a sum of squares alone loses the variance of large numbers.
Reply<Statistics> statistics(const registry::Registry& registry, const Aggregate& aggregate) {
  Statistics made;
  Statistics::Numbers sums;
  double count = 0, mean = 0, deviations = 0;
  auto done =
      each_thing(registry, aggregate, [&](const std::vector<Value>& values) -> Reply<Nothing> {
        if (!values.empty()) ++made.count;
        for (const Value& value : values) {
          const auto number = number_in(value);
          if (!number) continue;
          sums.minimum = count == 0 ? *number : std::min(sums.minimum, *number);
          sums.maximum = count == 0 ? *number : std::max(sums.maximum, *number);
          sums.sum += *number;
          sums.sum_of_squares += *number * *number;
          ++count;
          const double off = *number - mean;
          mean += off / count;
          deviations += off * (*number - mean);
        }
        return Nothing{};
      });
  if (!done) return done.error();
  if (count == 0) return made;
  sums.average = sums.sum / count;
  sums.variance = deviations / count;
  sums.std_deviation = std::sqrt(sums.variance);
  made.numbers = sums;
  return made;
}

Reply<std::uint64_t> cardinality(const registry::Registry& registry, const Aggregate& aggregate) {
  std::set<std::string> seen;
  auto done =
      each_thing(registry, aggregate, [&](const std::vector<Value>& values) -> Reply<Nothing> {
        for (const auto& [value, shown] : distinct(values)) seen.insert(value);
        if (seen.size() > limits::distinct_values_max)
          return too_many("values", limits::distinct_values_max);
        return Nothing{};
      });
  if (!done) return done.error();
  return seen.size();
}

Reply<Percentiles> percentiles(const registry::Registry& registry, const Aggregate& aggregate,
                               std::vector<double> percents) {
  if (percents.empty()) percents = {1, 5, 25, 50, 75, 95, 99};
  if (percents.size() > limits::percents_max) {
    return registry::invalid("At most " + std::to_string(limits::percents_max) +
                             " percents can be asked for.");
  }
  std::vector<double> numbers;
  auto done =
      each_thing(registry, aggregate, [&](const std::vector<Value>& values) -> Reply<Nothing> {
        for (const Value& value : values)
          if (value.kind == Value::Kind::number) numbers.push_back(value.number);
        if (numbers.size() > limits::aggregated_max)
          return too_many("values", limits::aggregated_max);
        return Nothing{};
      });
  if (!done) return done.error();
  Percentiles found;
  if (numbers.empty()) return found;
  std::ranges::sort(numbers);
  for (const double percent : percents) {
    const double place = percent / 100 * static_cast<double>(numbers.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, numbers.size() - 1);
    const double part = place - static_cast<double>(below);
    found.emplace_back(percent, numbers[below] + part * (numbers[above] - numbers[below]));
  }
  return found;
}

Reply<Buckets> buckets(const registry::Registry& registry, const Aggregate& aggregate,
                       std::size_t most) {
  std::unordered_map<std::string, Buckets::Bucket> counted;
  Buckets made;
  auto done =
      each_thing(registry, aggregate, [&](const std::vector<Value>& values) -> Reply<Nothing> {
        ++made.total;
        for (const auto& [value, shown] : distinct(values)) {
          Buckets::Bucket& bucket = counted[value];
          if (bucket.count++ == 0) bucket.value = shown;
        }
        if (counted.size() > limits::distinct_values_max)
          return too_many("values", limits::distinct_values_max);
        return Nothing{};
      });
  if (!done) return done.error();
  for (auto& [value, bucket] : counted) made.buckets.push_back(std::move(bucket));
  std::ranges::sort(made.buckets, [](const Buckets::Bucket& one, const Buckets::Bucket& other) {
    return one.count != other.count ? one.count > other.count : one.value < other.value;
  });
  if (made.buckets.size() > most) made.buckets.resize(most);
  return made;
}

}  // namespace gnomon::fleet
