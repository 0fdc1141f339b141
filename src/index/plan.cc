#include "index/plan.h"

#include <algorithm>
#include <utility>

namespace gnomon::index {

namespace {

// What a pattern begins with, up to its first wildcard.
std::string prefix_of(std::string_view pattern) {
  std::string prefix;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '*' || pattern[at] == '?') break;
    if (pattern[at] == '\\') ++at;
    prefix += pattern[at];
  }
  return prefix;
}

Plan term_plan(const std::string& field, const Value& value) {
  Plan plan;
  plan.kind = Plan::Kind::term;
  plan.prefix = postings_of(field, value).view();
  return plan;
}

Plan joined(Plan::Kind kind, std::vector<Plan> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  Plan plan;
  plan.kind = kind;
  plan.parts = std::move(parts);
  return plan;
}

// Of a leaf in one field.
Plan leaf_plan(const Query& leaf, const std::string& field) {
  if (leaf.kind == Query::Kind::term) {
    std::vector<Plan> terms{term_plan(field, text_value(leaf.text))};
    if (leaf.number) terms.push_back(term_plan(field, number_value(*leaf.number)));
    return joined(Plan::Kind::either, std::move(terms));
  }
  Plan plan;
  plan.kind = Plan::Kind::ranges;
  if (leaf.kind == Query::Kind::pattern) {
    plan.ranges.push_back(texts_with_prefix(field, prefix_of(leaf.text)));
  } else if (leaf.kind == Query::Kind::exists) {
    const records::Key all = postings_of(field);
    plan.ranges.push_back({std::string(all.view()), all.behind()});
  } else {
    plan.ranges.push_back(leaf.numeric ? numbers_between(field, leaf.least, leaf.most)
                                       : texts_between(field, leaf.least, leaf.most));
  }
  return plan;
}

Plan plan_of_leaf(const Query& leaf, const Planning& planning) {
  if (!planning.has_postings(leaf)) return {};
  if (!leaf.field.empty()) return has_postings(leaf.field) ? leaf_plan(leaf, leaf.field) : Plan();
  const auto fields = planning.fields();
  if (!fields) return {};
  std::vector<Plan> parts;
  parts.reserve(fields->size());
  for (const std::string& field : *fields) parts.push_back(leaf_plan(leaf, field));
  // Nothing has a field: no thing is found.
  if (parts.empty()) return joined(Plan::Kind::ranges, {});
  return joined(Plan::Kind::either, std::move(parts));
}

}  // namespace

Plan plan(const Query& query, const Planning& planning) {
  switch (query.kind) {
    case Query::Kind::all:
    case Query::Kind::negation:
      return {};
    case Query::Kind::both:
    case Query::Kind::either:
      break;
    default:
      return plan_of_leaf(query, planning);
  }
  const bool both = query.kind == Query::Kind::both;
  std::vector<Plan> parts;
  for (const Query& each : query.parts) {
    Plan part = plan(each, planning);
    if (part.kind != Plan::Kind::everything) {
      parts.push_back(std::move(part));
    } else if (!both) {
      return {};
    }
  }
  if (parts.empty()) return {};
  return joined(both ? Plan::Kind::both : Plan::Kind::either, std::move(parts));
}

}  // namespace gnomon::index
