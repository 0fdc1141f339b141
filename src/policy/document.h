// Policy documents, read: what IoT policies and IAM policies say, before it is compiled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/condition.h"
#include "policy/pattern.h"

namespace gnomon::policy {

// The two languages that share one grammar. They differ:
//   iot  actions match with their case; no Principal, NotAction, NotResource; no default values of
//        variables; what a variable may not stand for is in policy_set.h
//   iam  actions match in any case
enum class Dialect : std::uint8_t { iot, iam };

// What a document is for (IAM; all of IoT's are `identity`).
enum class Kind : std::uint8_t {
  identity,  // of a user, group, role or session; a boundary: no Principal
  resource,  // of a function, a queue: with Principal
  trust,     // of a role, who may take it on: with Principal, without Resource, sts actions only
};

enum class Effect : std::uint8_t { allow, deny };

// Action or NotAction, Resource or NotResource.
struct Names {
  bool negated = false;
  std::vector<std::string> patterns;
};

struct PrincipalName {
  enum class Kind : std::uint8_t { everyone, aws, service, federated };
  Kind kind = Kind::everyone;
  std::string name;  // aws: an ARN or the twelve digits of an account; of everyone empty
};
struct PrincipalNames {
  bool negated = false;  // NotPrincipal
  std::vector<PrincipalName> names;
};

struct Condition {
  Operator op;
  std::string key;
  std::vector<std::string> values;  // also numbers and booleans, as JSON writes them; may be empty
};

struct Statement {
  std::string sid;
  Effect effect = Effect::deny;
  Names actions, resources;
  PrincipalNames principals;
  std::vector<Condition> conditions;
};

struct Document {
  Dialect dialect = Dialect::iot;
  Kind kind = Kind::identity;
  std::string version;  // "2012-10-17" or "2008-10-17", which is what none means
  std::string id;
  std::vector<Statement> statements;

  // The version of 2008 has no variables: `${…}` is plain text in it.
  [[nodiscard]] bool has_variables() const { return version == "2012-10-17"; }
  // How a resource or a condition value of this document is read.
  [[nodiscard]] Syntax resource_syntax() const;
  [[nodiscard]] Syntax value_syntax(Comparison comparison) const;
};

// Reads a document. What is accepted compiles. Errors:
//   invalid    AWS's sentence, and in parentheses where and what. IoT: "Policy document is
//              Malformed: …" (MalformedPolicyException); IAM: "Syntax errors in policy." and the
//              others of MalformedPolicyDocument
//   exhausted  longer than the limits of its dialect
Result<Document> parse(std::string_view text, Dialect dialect, Kind kind = Kind::identity);

// How long a document is for AWS's quotas: its characters without white space.
[[nodiscard]] std::size_t count_characters(std::string_view text);

// Where the parts of an ARN begin: at most six, the last with all further colons; colons inside of
// `${…}` do not count.
[[nodiscard]] std::vector<std::string_view> split_arn(std::string_view text);

}  // namespace gnomon::policy
