#include "policy/condition.h"

#include <algorithm>

#include "policy/ascii.h"

namespace gnomon::policy {
namespace {

struct Row {
  std::string_view name;
  Comparison comparison;
  bool negated;
};
// ArnLike stands before ArnEquals: the two are one comparison, and the first name is shown.
constexpr Row rows[] = {
    {"StringEquals", Comparison::string_equals, false},
    {"StringNotEquals", Comparison::string_equals, true},
    {"StringEqualsIgnoreCase", Comparison::string_ignore_case, false},
    {"StringNotEqualsIgnoreCase", Comparison::string_ignore_case, true},
    {"StringLike", Comparison::string_like, false},
    {"StringNotLike", Comparison::string_like, true},
    {"NumericEquals", Comparison::number_equals, false},
    {"NumericNotEquals", Comparison::number_equals, true},
    {"NumericLessThan", Comparison::number_less, false},
    {"NumericLessThanEquals", Comparison::number_at_most, false},
    {"NumericGreaterThan", Comparison::number_greater, false},
    {"NumericGreaterThanEquals", Comparison::number_at_least, false},
    {"DateEquals", Comparison::date_equals, false},
    {"DateNotEquals", Comparison::date_equals, true},
    {"DateLessThan", Comparison::date_less, false},
    {"DateLessThanEquals", Comparison::date_at_most, false},
    {"DateGreaterThan", Comparison::date_greater, false},
    {"DateGreaterThanEquals", Comparison::date_at_least, false},
    {"Bool", Comparison::boolean, false},
    {"BinaryEquals", Comparison::binary, false},
    {"IpAddress", Comparison::address, false},
    {"NotIpAddress", Comparison::address, true},
    {"ArnLike", Comparison::arn_like, false},
    {"ArnNotLike", Comparison::arn_like, true},
    {"ArnEquals", Comparison::arn_like, false},
    {"ArnNotEquals", Comparison::arn_like, true},
    {"Null", Comparison::null, false},
};
constexpr std::string_view all_prefix = "ForAllValues:", any_prefix = "ForAnyValue:";
constexpr std::string_view exists_suffix = "IfExists";

// RFC 4648 §4, padded.
bool is_base64(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  while (text.ends_with('=') && text.size() % 4 != 2) text.remove_suffix(1);
  return std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '+' || c == '/'; });
}

}  // namespace

std::optional<Operator> find_operator(std::string_view name) {
  Operator op;
  if (name.starts_with(all_prefix)) {
    op.quantifier = Quantifier::all;
    name.remove_prefix(all_prefix.size());
  } else if (name.starts_with(any_prefix)) {
    op.quantifier = Quantifier::any;
    name.remove_prefix(any_prefix.size());
  }
  if (name.ends_with(exists_suffix)) {
    op.if_exists = true;
    name.remove_suffix(exists_suffix.size());
  }
  const auto* row = std::ranges::find(rows, name, &Row::name);
  if (row == std::end(rows)) return std::nullopt;
  op.comparison = row->comparison;
  op.negated = row->negated;
  // Null asks whether the key is there: neither adds to that.
  const bool added = op.if_exists || op.quantifier != Quantifier::none;
  if (op.comparison == Comparison::null && added) return std::nullopt;
  return op;
}

std::string to_string(const Operator& op) {
  std::string text;
  if (op.quantifier == Quantifier::all) text += all_prefix;
  if (op.quantifier == Quantifier::any) text += any_prefix;
  text += std::ranges::find_if(rows, [&](const Row& row) {
            return row.comparison == op.comparison && row.negated == op.negated;
          })->name;
  if (op.if_exists) text += exists_suffix;
  return text;
}

// IAM: "IAM JSON policy elements: Condition operators" says for each whether it supports variables.
bool takes_variables(Comparison comparison) {
  return comparison <= Comparison::string_like || comparison == Comparison::boolean ||
         comparison == Comparison::arn_like;
}

bool takes_wildcards(Comparison comparison) {
  return comparison == Comparison::string_like || comparison == Comparison::arn_like;
}

std::string_view check_value(Comparison comparison, std::string_view value) {
  if (comparison >= Comparison::number_equals && comparison <= Comparison::number_at_least) {
    return read_number(value) ? "" : "is not a number";
  }
  if (comparison >= Comparison::date_equals && comparison <= Comparison::date_at_least) {
    return read_date(value) ? "" : "is not a date of ISO 8601 or a number of seconds";
  }
  switch (comparison) {
    case Comparison::boolean:
    case Comparison::null:
      return equal_ignoring_case(value, "true") || equal_ignoring_case(value, "false")
                 ? ""
                 : "is neither true nor false";
    case Comparison::binary:
      return is_base64(value) ? "" : "is not base64";
    case Comparison::address:
      return read_network(value) ? "" : "is not an IP address or a range of them";
    default:
      return "";
  }
}

}  // namespace gnomon::policy
