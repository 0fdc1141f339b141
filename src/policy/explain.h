// Explanations: why a request is allowed or not, statement by statement.
#pragma once

#include <string>
#include <vector>

#include "policy/evaluate.h"

namespace gnomon::policy {

struct ExplainedVariable {
  std::string name;                 // without `${` and `}`
  std::vector<std::string> values;  // none: it has none
  std::string why;                  // why it is not put in, "" if it is
};

struct ExplainedStatement {
  std::string group;   // "identity", "resource", "boundary", "session"
  std::string policy;  // Source::name
  std::string via;     // Source::via
  int number = 0;      // of the statement in its document, from 1
  std::string sid;
  Effect effect = Effect::deny;
  Miss miss = Miss::none;     // none: it matches
  Grant grant = Grant::none;  // of a resource's policy: how it names who asks
  std::string why;            // of a miss: a sentence that names what did not match
  std::vector<ExplainedVariable> variables;
  std::vector<std::string> missing;  // keys without a value that were looked at
};

struct Explanation {
  std::string action, resource;
  Verdict verdict = Verdict::implicit_deny;
  std::string why;                             // one sentence
  std::vector<ExplainedStatement> statements;  // of all groups; in each in the order of sources
};

// The same verdict as evaluate(), with its reasons. Slow: it works on the documents.
[[nodiscard]] Explanation explain(const Groups& groups, const Request& request);

// Some lines for people; what comes from outside is escaped.
[[nodiscard]] std::string to_text(const Explanation& explanation);

}  // namespace gnomon::policy
