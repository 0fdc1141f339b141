#include "policy/policy_set.h"

#include <algorithm>

#include "base/limits.h"
#include "policy/ascii.h"
#include "policy/lookup.h"

namespace gnomon::policy {
namespace {

// An action in lower case, on the stack.
class FoldedAction {
 public:
  explicit FoldedAction(std::string_view action) : size_(action.size()) {
    std::transform(action.begin(), action.end(), text_.begin(), lower);
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, limits::policy_action_bytes_max> text_;
  std::size_t size_;
};

// The twelve digits of "arn:aws:iam::ACCOUNT:root" or of "ACCOUNT"; "" of another ARN.
std::string_view account_of(std::string_view name) {
  constexpr std::size_t digits = 12;
  constexpr std::string_view root = ":root";
  if (name.size() == digits) return name;
  if (!name.ends_with(root) || name.size() < digits + root.size()) return {};
  return name.substr(name.size() - root.size() - digits, digits);
}

Grant named_by(const PrincipalName& name, const Principal& principal) {
  switch (name.kind) {
    case PrincipalName::Kind::everyone:
      return principal.role_arn.empty() ? Grant::direct : Grant::role;
    case PrincipalName::Kind::service:
      return name.name == principal.service ? Grant::direct : Grant::none;
    case PrincipalName::Kind::federated:
      return name.name == principal.federated ? Grant::direct : Grant::none;
    case PrincipalName::Kind::aws:
      break;
  }
  if (name.name == principal.arn) return Grant::direct;
  if (name.name == principal.role_arn) return Grant::role;
  const std::string_view account = account_of(name.name);
  if (account.empty() || account != principal.account) return Grant::none;
  // The root is the account.
  return account_of(principal.arn) == account ? Grant::direct : Grant::account;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::allowed:
      return "ALLOWED";
    case Verdict::implicit_deny:
      return "IMPLICIT_DENY";
    case Verdict::explicit_deny:
      break;
  }
  return "EXPLICIT_DENY";
}

bool is_plain(std::string_view value) {
  return value.find_first_of("*$+?#") == std::string_view::npos;
}

bool PolicySet::allows_everything(std::string_view service) const {
  const auto has = [](const Names& names, const auto& wanted) {
    return !names.negated && std::ranges::any_of(names.patterns, wanted);
  };
  const auto any = [](const std::string& pattern) { return pattern == "*"; };
  const auto any_action = [&](const std::string& pattern) {
    return any(pattern) || (pattern.size() == service.size() + 2 && pattern.starts_with(service) &&
                            pattern.ends_with(":*"));
  };
  bool allowed = false;
  for (const Source& source : sources_) {
    for (const Statement& statement : source.document->statements) {
      if (statement.effect == Effect::deny) return false;
      allowed = allowed || (has(statement.actions, any_action) && has(statement.resources, any) &&
                            statement.conditions.empty() && statement.principals.names.empty());
    }
  }
  return allowed;
}

bool PolicySet::reads(std::string_view prefix) const {
  return std::ranges::any_of(keys_read_, [prefix](std::string_view key) {
    return key.size() >= prefix.size() && same_key(key.substr(0, prefix.size()), prefix);
  });
}

Verdict PolicySet::check(const Request& request) const {
  if (request.action.size() > limits::policy_action_bytes_max) return Verdict::implicit_deny;
  const Lookup lookup(*this, request);
  const FoldedAction folded(folds_ ? request.action : std::string_view());
  for (const Rule& rule : rules_) {
    const std::string_view action = rule.folds ? folded.view() : request.action;
    if (miss(rule, action, lookup) != Miss::none) continue;
    return rule.effect == Effect::allow ? Verdict::allowed : Verdict::explicit_deny;
  }
  return Verdict::implicit_deny;
}

Grant PolicySet::grant(const Request& request) const {
  if (request.action.size() > limits::policy_action_bytes_max) return Grant::none;
  const Lookup lookup(*this, request);
  const FoldedAction folded(folds_ ? request.action : std::string_view());
  Grant best = Grant::none;
  for (const Rule& rule : rules_) {
    const std::string_view action = rule.folds ? folded.view() : request.action;
    if (miss(rule, action, lookup) != Miss::none) continue;
    if (rule.effect == Effect::deny) return Grant::denied;
    best = std::max(best, names(rule, request.principal));
  }
  return best;
}

Miss PolicySet::miss(const Rule& rule, std::string_view action, const Lookup& lookup) const {
  // The order is that of an explanation, and the cheap first.
  if (any_matches(rule.actions, action, lookup) == rule.not_action) return Miss::action;
  if (rule.unresolved) return Miss::variable;
  for (std::uint32_t i = rule.slots.begin; i < rule.slots.end; ++i) {
    const auto value = lookup.text(rule_slots_[i]);
    if (!value || (rule.strict && !is_plain(*value))) return Miss::variable;
  }
  if (any_matches(rule.resources, lookup.request().resource, lookup) == rule.not_resource) {
    return Miss::resource;
  }
  if (!rule.principals.empty() && names(rule, lookup.request().principal) == Grant::none) {
    return Miss::principal;
  }
  if (rule.never) return Miss::condition;
  for (std::uint32_t i = rule.tests.begin; i < rule.open_tests; ++i) {
    if (!holds(tests_[i], lookup)) return Miss::condition;
  }
  return Miss::none;
}

bool PolicySet::any_matches(Range patterns, std::string_view text, const Lookup& lookup) const {
  for (std::uint32_t i = patterns.begin; i < patterns.end; ++i) {
    if (patterns_.matches(i, text, lookup)) return true;
  }
  return false;
}

Grant PolicySet::names(const Rule& rule, const Principal& principal) const {
  Grant best = Grant::none;
  for (std::uint32_t i = rule.principals.begin; i < rule.principals.end; ++i) {
    best = std::max(best, named_by(principals_[i], principal));
  }
  if (!rule.not_principal) return best;
  if (best != Grant::none) return Grant::none;
  return principal.role_arn.empty() ? Grant::direct : Grant::role;
}

bool PolicySet::holds(const Test& test, const Lookup& lookup) const {
  const auto actual = lookup.values(test.key);
  const Operator& op = test.op;
  if (op.comparison == Comparison::null) {
    return fits(test, actual.empty() ? "true" : "false", lookup);
  }
  if (actual.empty()) {
    if (op.if_exists) return true;
    return op.quantifier == Quantifier::none ? op.negated : op.quantifier == Quantifier::all;
  }
  const auto fits_one = [&](std::string_view value) { return fits(test, value, lookup); };
  switch (op.quantifier) {
    case Quantifier::all:
      return std::ranges::all_of(actual, [&](auto one) { return fits_one(one) != op.negated; });
    case Quantifier::any:
      return std::ranges::any_of(actual, [&](auto one) { return fits_one(one) != op.negated; });
    case Quantifier::none:
      break;
  }
  return std::ranges::any_of(actual, fits_one) != op.negated;
}

// Whether one of the policy's values fits `actual`; that the operator is negated is not seen here.
bool PolicySet::fits(const Test& test, std::string_view actual, const Lookup& lookup) const {
  const auto any_of = [&test](const auto& values, auto fits_value) {
    return std::any_of(values.begin() + test.values.begin, values.begin() + test.values.end,
                       fits_value);
  };
  const auto number = [&](auto compare) {
    const auto value = read_number(actual);
    return value && any_of(numbers_, [&](double limit) { return compare(*value, limit); });
  };
  const auto date = [&](auto compare) {
    const auto value = read_date(actual);
    return value && any_of(dates_, [&](std::int64_t limit) { return compare(*value, limit); });
  };
  switch (test.op.comparison) {
    case Comparison::string_equals:
    case Comparison::string_like:
    case Comparison::binary:
      return any_matches(test.values, actual, lookup);
    case Comparison::string_ignore_case:
    case Comparison::boolean:
    case Comparison::null:
      for (std::uint32_t i = test.values.begin; i < test.values.end; ++i) {
        if (patterns_.equals_ignoring_case(i, actual, lookup)) return true;
      }
      return false;
    case Comparison::number_equals:
      return number(std::equal_to<>());
    case Comparison::number_less:
      return number(std::less<>());
    case Comparison::number_at_most:
      return number(std::less_equal<>());
    case Comparison::number_greater:
      return number(std::greater<>());
    case Comparison::number_at_least:
      return number(std::greater_equal<>());
    case Comparison::date_equals:
      return date(std::equal_to<>());
    case Comparison::date_less:
      return date(std::less<>());
    case Comparison::date_at_most:
      return date(std::less_equal<>());
    case Comparison::date_greater:
      return date(std::greater<>());
    case Comparison::date_at_least:
      return date(std::greater_equal<>());
    case Comparison::address: {
      const auto address = read_network(actual);
      return address && any_of(networks_, [&](const Network& n) { return n.contains(*address); });
    }
    case Comparison::arn_like:
      return fits_arn(test.values, actual, lookup);
  }
  return false;
}

bool PolicySet::fits_arn(Range values, std::string_view actual, const Lookup& lookup) const {
  std::array<std::string_view, 6> parts;
  std::size_t count = 0;
  for (std::string_view rest = actual;;) {
    const std::size_t colon = count < 5 ? rest.find(':') : std::string_view::npos;
    parts[count++] = rest.substr(0, colon);
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  for (std::uint32_t i = values.begin; i < values.end; ++i) {
    const Range pattern = arns_[i];
    if (pattern.end - pattern.begin == 1) {
      if (patterns_.matches(pattern.begin, actual, lookup)) return true;
      continue;
    }
    bool all = count == parts.size();
    for (std::uint32_t part = 0; all && part < count; ++part) {
      all = patterns_.matches(pattern.begin + part, parts[part], lookup);
    }
    if (all) return true;
  }
  return false;
}

}  // namespace gnomon::policy
