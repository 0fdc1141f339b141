// Compiling of policy sets.
#include <algorithm>

#include "policy/ascii.h"
#include "policy/lookup.h"

namespace gnomon::policy {

// Fills a PolicySet.
class Compiler {
 public:
  Compiler(std::vector<Source> sources, std::shared_ptr<const Variables> variables) {
    set_.sources_ = std::move(sources);
    set_.variables_ = variables ? std::move(variables) : std::make_shared<const Variables>();
  }

  PolicySet run() {
    for (const Effect effect : {Effect::deny, Effect::allow}) {
      for (std::uint32_t i = 0; i < set_.sources_.size(); ++i) {
        const Document& document = *set_.sources_[i].document;
        for (std::uint32_t j = 0; j < document.statements.size(); ++j) {
          if (document.statements[j].effect == effect) add_rule(document, i, j);
        }
      }
    }
    std::ranges::sort(set_.keys_read_);
    const auto same = std::ranges::unique(set_.keys_read_);
    set_.keys_read_.erase(same.begin(), same.end());
    return std::move(set_);
  }

 private:
  using Rule = PolicySet::Rule;
  using Range = PolicySet::Range;
  using Test = PolicySet::Test;
  using Origin = PolicySet::Origin;

  template <class Values>
  static std::uint32_t count(const Values& values) {
    return static_cast<std::uint32_t>(values.size());
  }

  void add_rule(const Document& document, std::uint32_t source, std::uint32_t index) {
    const Statement& statement = document.statements[index];
    Rule rule;
    rule.source = source;
    rule.statement = index;
    rule.effect = statement.effect;
    rule.folds = document.dialect == Dialect::iam;
    rule.strict = document.dialect == Dialect::iot && statement.effect == Effect::allow;
    rule.not_action = statement.actions.negated;
    rule.not_resource = statement.resources.negated;
    rule.not_principal = statement.principals.negated;
    set_.folds_ = set_.folds_ || rule.folds;

    rule.slots.begin = count(set_.rule_slots_);
    rule.actions = add_patterns(rule, statement.actions.patterns, action_syntax, rule.folds);
    // An Allow of NotResource must know what it spares.
    needs_values_ = rule.strict || (rule.effect == Effect::allow && rule.not_resource);
    rule.resources =
        add_patterns(rule, statement.resources.patterns, document.resource_syntax(), false);
    rule.principals.begin = count(set_.principals_);
    for (const PrincipalName& name : statement.principals.names) set_.principals_.push_back(name);
    rule.principals.end = count(set_.principals_);
    needs_values_ = rule.strict;
    add_tests(rule, document, statement.conditions);
    rule.slots.end = count(set_.rule_slots_);
    set_.rules_.push_back(rule);
  }

  Range add_patterns(Rule& rule, const std::vector<std::string>& texts, Syntax syntax, bool fold) {
    Range range;
    range.begin = patterns_;
    for (const std::string& text : texts) add_pattern(rule, fold ? lowered(text) : text, syntax);
    range.end = patterns_;
    return range;
  }

  // `text` is good: parse() has tried it.
  void add_pattern(Rule& rule, std::string_view text, Syntax syntax) {
    const auto parts = split(text, syntax);
    for (const Part& part : *parts) {
      switch (part.kind) {
        case Part::Kind::text:
          set_.patterns_.add_text(part.text);
          break;
        case Part::Kind::any_run:
          set_.patterns_.add_any_run();
          break;
        case Part::Kind::any_one:
          set_.patterns_.add_any_one();
          break;
        case Part::Kind::variable:
          add_variable(rule, part);
          break;
      }
    }
    patterns_ = set_.patterns_.finish() + 1;
  }

  void add_variable(Rule& rule, const Part& part) {
    const std::uint32_t key = add_key(part.text);
    if (set_.keys_[key].origin != Origin::constant) {
      const std::uint32_t slot = count(set_.slots_);
      set_.slots_.push_back({key, part.fallback.has_value(), part.fallback.value_or("")});
      set_.patterns_.add_variable(slot);
      if (needs_values_) set_.rule_slots_.push_back(slot);
      return;
    }
    const auto& values = set_.keys_[key].constants;
    const bool single = values.size() == 1;
    if (rule.strict && !(single && is_plain(values[0]))) rule.unresolved = true;
    if (single) {
      set_.patterns_.add_text(values[0]);
    } else if (part.fallback) {
      set_.patterns_.add_text(*part.fallback);
    } else {
      set_.patterns_.add_nothing();
      if (needs_values_) rule.unresolved = true;
    }
  }

  std::uint32_t add_key(const std::string& name) {
    set_.keys_read_.push_back(name);
    const auto found =
        std::ranges::find_if(set_.keys_, [&](const auto& key) { return same_key(key.name, name); });
    if (found != set_.keys_.end()) return static_cast<std::uint32_t>(found - set_.keys_.begin());
    PolicySet::Key key{name, Origin::request, {}};
    if (const auto* known = set_.variables_->find(name)) {
      key.origin = Origin::constant;
      key.constants.assign(known->values.begin(), known->values.end());
    } else if (same_key(name, "aws:CurrentTime")) {
      key.origin = Origin::current_time;
    } else if (same_key(name, "aws:EpochTime")) {
      key.origin = Origin::epoch_time;
    }
    set_.keys_.push_back(std::move(key));
    return count(set_.keys_) - 1;
  }

  // Those that need no request are settled now, and stand behind the others for explanations.
  void add_tests(Rule& rule, const Document& document, const std::vector<Condition>& conditions) {
    std::vector<Test> settled;
    rule.tests.begin = count(set_.tests_);
    for (std::uint32_t i = 0; i < conditions.size(); ++i) {
      const Condition& condition = conditions[i];
      Test test{condition.op, add_key(condition.key), i, {}};
      const std::size_t slots_before = set_.slots_.size();
      test.values = add_values(rule, document, condition);
      const bool open =
          set_.keys_[test.key].origin != Origin::constant || set_.slots_.size() != slots_before;
      if (open) {
        set_.tests_.push_back(test);
        continue;
      }
      const Request nothing;
      if (!set_.holds(test, PolicySet::Lookup(set_, nothing))) rule.never = true;
      settled.push_back(test);
    }
    rule.open_tests = count(set_.tests_);
    set_.tests_.insert(set_.tests_.end(), settled.begin(), settled.end());
    rule.tests.end = count(set_.tests_);
  }

  Range add_values(Rule& rule, const Document& document, const Condition& condition) {
    const Comparison comparison = condition.op.comparison;
    const auto add_all = [&](auto& to, auto read) {
      Range range;
      range.begin = count(to);
      for (const std::string& value : condition.values) to.push_back(*read(value));
      range.end = count(to);
      return range;
    };
    if (comparison >= Comparison::number_equals && comparison <= Comparison::number_at_least) {
      return add_all(set_.numbers_, read_number);
    }
    if (comparison >= Comparison::date_equals && comparison <= Comparison::date_at_least) {
      return add_all(set_.dates_, read_date);
    }
    if (comparison == Comparison::address) return add_all(set_.networks_, read_network);
    const Syntax syntax = document.value_syntax(comparison);
    if (comparison != Comparison::arn_like) {
      return add_patterns(rule, condition.values, syntax, false);
    }
    Range range;
    range.begin = count(set_.arns_);
    for (const std::string& value : condition.values) {
      auto parts = split_arn(value);
      if (parts.size() != 6) parts = {value};
      Range arn;
      arn.begin = patterns_;
      for (const std::string_view part : parts) add_pattern(rule, part, syntax);
      arn.end = patterns_;
      set_.arns_.push_back(arn);
    }
    range.end = count(set_.arns_);
    return range;
  }

  static constexpr Syntax action_syntax{.variables = false, .fallbacks = false, .wildcards = true};

  PolicySet set_;
  std::uint32_t patterns_ = 0;  // how many there are
  bool needs_values_ = false;   // the variables of the texts that are added, or the rule is void
};

PolicySet PolicySet::compile(std::vector<Source> sources,
                             std::shared_ptr<const Variables> variables) {
  return Compiler(std::move(sources), std::move(variables)).run();
}

}  // namespace gnomon::policy
