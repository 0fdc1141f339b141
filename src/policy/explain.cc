#include "policy/explain.h"

#include <algorithm>

#include "base/json_text.h"
#include "base/limits.h"
#include "policy/ascii.h"
#include "policy/lookup.h"

namespace gnomon::policy {
namespace {

std::string list(const auto& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ", ") + json_text(text);
  return out.empty() ? "nothing" : out;
}

std::string_view effect_name(Effect effect) { return effect == Effect::allow ? "Allow" : "Deny"; }

std::string title(const ExplainedStatement& statement) {
  std::string text = "statement " + std::to_string(statement.number);
  if (!statement.sid.empty()) text += ' ' + json_text(statement.sid);
  text += " of policy " + json_text(statement.policy);
  if (!statement.via.empty()) text += " (" + statement.via + ')';
  return text;
}

}  // namespace

// Looks at each statement of a set as PolicySet::miss does.
class Explainer {
 public:
  Explainer(const PolicySet& set, const Request& request)
      : set_(set), request_(request), lookup_(set, request) {}

  void run(std::string_view group, std::vector<ExplainedStatement>& out) {
    std::vector<const PolicySet::Rule*> rules;
    for (const auto& rule : set_.rules_) rules.push_back(&rule);
    std::ranges::sort(rules, {},
                      [](const auto* rule) { return std::pair(rule->source, rule->statement); });
    for (const auto* rule : rules) out.push_back(explain(*rule, group));
  }

 private:
  ExplainedStatement explain(const PolicySet::Rule& rule, std::string_view group) {
    const Source& source = set_.sources_[rule.source];
    const Statement& statement = source.document->statements[rule.statement];
    ExplainedStatement out;
    out.group = group;
    out.policy = source.name;
    out.via = source.via;
    out.number = static_cast<int>(rule.statement) + 1;
    out.sid = statement.sid;
    out.effect = statement.effect;
    out.variables = variables(rule, *source.document, statement);
    out.grant = set_.names(rule, request_.principal);
    const bool too_long = request_.action.size() > limits::policy_action_bytes_max;
    const std::string action = rule.folds ? lowered(request_.action) : std::string(request_.action);
    out.miss = too_long ? Miss::action : set_.miss(rule, action, lookup_);
    out.missing = missing(out, *source.document, statement);
    out.why = why(out, rule, statement);
    return out;
  }

  std::string why(const ExplainedStatement& out, const PolicySet::Rule& rule,
                  const Statement& statement) {
    const auto names = [](const Names& wanted, std::string_view word) {
      return (wanted.negated ? " is one of Not" : " is none of ") + std::string(word) + ' ' +
             list(wanted.patterns);
    };
    switch (out.miss) {
      case Miss::none:
        return {};
      case Miss::action:
        return "the action" + names(statement.actions, "Action");
      case Miss::resource:
        return "the resource" + names(statement.resources, "Resource");
      case Miss::principal:
        return std::string(statement.principals.negated ? "NotPrincipal names"
                                                        : "Principal names not") +
               " who asks";
      case Miss::variable:
        for (const ExplainedVariable& variable : out.variables) {
          if (!variable.why.empty()) return "${" + variable.name + "} " + variable.why;
        }
        return "a variable has no value";
      case Miss::condition:
        break;
    }
    return failed_condition(rule, statement);
  }

  // The first in the order of the statement; compiling has changed the order.
  std::string failed_condition(const PolicySet::Rule& rule, const Statement& statement) {
    const PolicySet::Test* failed = nullptr;
    for (std::uint32_t i = rule.tests.begin; i < rule.tests.end; ++i) {
      const PolicySet::Test& test = set_.tests_[i];
      const bool earlier = failed == nullptr || test.condition < failed->condition;
      if (earlier && !set_.holds(test, lookup_)) failed = &test;
    }
    const Condition& condition = statement.conditions[failed->condition];
    const auto actual = lookup_.values(failed->key);
    return to_string(condition.op) + ' ' + condition.key + ' ' + list(condition.values) +
           " does not hold: " + (actual.empty() ? "the key is missing" : "it is " + list(actual));
  }

  // In a statement for another action none, for another resource none of the conditions.
  std::vector<std::string> missing(const ExplainedStatement& explained, const Document& document,
                                   const Statement& statement) {
    std::vector<std::string> out;
    const auto add = [&](const std::string& name) {
      const auto same = [&](const std::string& other) { return same_key(other, name); };
      if (std::ranges::none_of(out, same)) out.push_back(name);
    };
    if (explained.miss == Miss::action || explained.miss == Miss::principal) return out;
    for (const ExplainedVariable& variable : explained.variables) {
      const bool looked_at =
          explained.miss != Miss::resource ||
          std::ranges::any_of(statement.resources.patterns, [&](const std::string& text) {
            return names(text, document.resource_syntax(), variable.name);
          });
      if (looked_at && variable.values.empty()) add(variable.name);
    }
    if (explained.miss == Miss::resource) return out;
    for (const Condition& condition : statement.conditions) {
      if (lookup_.values(index(condition.key)).empty()) add(condition.key);
    }
    return out;
  }

  static bool names(std::string_view text, Syntax syntax, std::string_view variable) {
    const auto parts = split(text, syntax);
    return std::ranges::any_of(*parts, [&](const Part& part) {
      return part.kind == Part::Kind::variable && same_key(part.text, variable);
    });
  }

  // Of a key that a statement names.
  [[nodiscard]] std::uint32_t index(std::string_view name) const {
    const auto key = std::ranges::find_if(
        set_.keys_, [&](const auto& candidate) { return same_key(candidate.name, name); });
    return static_cast<std::uint32_t>(key - set_.keys_.begin());
  }

  // Every variable that the statement's texts name, once.
  std::vector<ExplainedVariable> variables(const PolicySet::Rule& rule, const Document& document,
                                           const Statement& statement) {
    std::vector<ExplainedVariable> out;
    const auto add = [&](std::string_view text, Syntax syntax) {
      const auto parts = split(text, syntax);
      for (const Part& part : *parts) {
        const bool known = std::ranges::any_of(
            out, [&](const ExplainedVariable& other) { return same_key(other.name, part.text); });
        if (part.kind == Part::Kind::variable && !known) out.push_back(variable(rule, part));
      }
    };
    for (const std::string& text : statement.resources.patterns) {
      add(text, document.resource_syntax());
    }
    for (const Condition& condition : statement.conditions) {
      for (const std::string& text : condition.values) {
        add(text, document.value_syntax(condition.op.comparison));
      }
    }
    return out;
  }

  ExplainedVariable variable(const PolicySet::Rule& rule, const Part& part) {
    ExplainedVariable out{part.text, {}, {}};
    const auto values = lookup_.values(index(part.text));
    out.values.assign(values.begin(), values.end());
    if (values.size() == 1) {
      if (rule.strict && !is_plain(values[0])) {
        out.why = "is " + json_text(values[0]) + ", which holds one of * $ + ? #: it is not put in";
      }
    } else if (part.fallback) {
      out.values = {*part.fallback};
    } else {
      out.why = values.empty() ? "has no value" : "has several values";
    }
    return out;
  }

  const PolicySet& set_;
  const Request& request_;
  PolicySet::Lookup lookup_;
};

namespace {

// The sentence for the verdict.
std::string reason(const Explanation& explanation, const Groups& groups, const Request& request) {
  const auto decisive = [&](Effect effect, auto wanted) -> const ExplainedStatement* {
    const auto found = std::ranges::find_if(explanation.statements, [&](const auto& statement) {
      return statement.effect == effect && statement.miss == Miss::none && wanted(statement);
    });
    return found == explanation.statements.end() ? nullptr : &*found;
  };
  const auto in = [](std::string_view name) {
    return [name](const ExplainedStatement& statement) { return statement.group == name; };
  };
  const auto any = [](const ExplainedStatement&) { return true; };
  if (explanation.verdict == Verdict::explicit_deny) {
    return "denied by " + title(*decisive(Effect::deny, any));
  }
  const ExplainedStatement* identity = decisive(Effect::allow, in("identity"));
  const ExplainedStatement* resource = decisive(Effect::allow, in("resource"));
  if (explanation.verdict == Verdict::allowed) {
    const Grant grant = groups.resource ? groups.resource->grant(request) : Grant::none;
    const bool by_resource = grant == Grant::direct || grant == Grant::role;
    const ExplainedStatement* named = decisive(
        Effect::allow, [&](const auto& each) { return each.grant == grant && by_resource; });
    return "allowed by " + title(named != nullptr ? *named : *identity);
  }
  if (groups.trust && resource == nullptr) return "no statement of the trust policy allows it";
  const bool granted =
      identity != nullptr || (groups.resource && groups.resource->grant(request) == Grant::role);
  if (!granted) {
    return resource == nullptr
               ? "no statement allows it"
               : "the resource's policy leaves it to the account's own policies, and "
                 "none of them allows it";
  }
  if (groups.boundary && !decisive(Effect::allow, in("boundary"))) {
    return "the permissions boundary does not allow it";
  }
  return "the session policy does not allow it";
}

}  // namespace

Explanation explain(const Groups& groups, const Request& request) {
  Explanation out;
  out.action = request.action;
  out.resource = request.resource;
  out.verdict = evaluate(groups, request);
  const auto add = [&](const PolicySet* set, std::string_view group) {
    if (set != nullptr) Explainer(*set, request).run(group, out.statements);
  };
  add(groups.identity, "identity");
  add(groups.resource, "resource");
  add(groups.boundary, "boundary");
  add(groups.session, "session");
  out.why = reason(out, groups, request);
  return out;
}

std::string to_text(const Explanation& explanation) {
  std::string out = json_text(explanation.action) + " on " + json_text(explanation.resource) +
                    ": " + std::string(to_string(explanation.verdict)) + "\n  " + explanation.why +
                    '\n';
  for (const ExplainedStatement& statement : explanation.statements) {
    out += statement.group + ", " + title(statement) + ", " +
           std::string(effect_name(statement.effect)) + ": " +
           (statement.miss == Miss::none ? "matches" : statement.why) + '\n';
    for (const ExplainedVariable& variable : statement.variables) {
      out += "  ${" + variable.name + "}: " + list(variable.values) + '\n';
    }
  }
  return out;
}

}  // namespace gnomon::policy
