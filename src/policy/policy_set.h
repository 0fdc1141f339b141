// The compiled form: the policies that hold for one principal (or are set on one resource), ready
// to be asked.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "policy/document.h"
#include "policy/pattern.h"
#include "policy/variables.h"

namespace gnomon::policy {

// A condition key of one request with its values. Borrowed.
struct KeyValues {
  std::string_view key;
  std::span<const std::string_view> values;
};

// Who asks, for the policies of resources. Borrowed; what is empty is not so.
struct Principal {
  std::string_view arn;        // of the user, the role's session, or the root of the account
  std::string_view role_arn;   // of a session: its role
  std::string_view account;    // twelve digits
  std::string_view service;    // "iot.amazonaws.com"
  std::string_view federated;  // of a web identity: its provider
};

// What is asked. Borrowed.
struct Request {
  std::string_view action;            // "iot:Publish"
  std::string_view resource;          // an ARN; "*" for an action that has none
  std::span<const KeyValues> keys{};  // only what is not among the variables compiled in
  WallTime now{};                     // aws:CurrentTime and aws:EpochTime; 0: they are missing
  Principal principal{};
};

// As TestAuthorization names them.
enum class Verdict : std::uint8_t { allowed, implicit_deny, explicit_deny };
[[nodiscard]] std::string_view to_string(Verdict verdict);  // "ALLOWED", "IMPLICIT_DENY", …

// How the policy of a resource allows (evaluate.h says what follows).
enum class Grant : std::uint8_t {
  denied,   // a Deny matches
  none,     // nothing allows it
  account,  // it leaves the decision to the account of the principal
  role,     // it names the role of the session
  direct,   // it names the user, the session or the service, or everyone
};

// Why a statement does not match.
enum class Miss : std::uint8_t { none, variable, action, principal, resource, condition };

// A document, and how it came to be in the set.
struct Source {
  std::string name;  // of the policy, with its version: "dev:2"
  std::string via;   // what it is attached to: "certificate 6fa4…", "thing group lights"
  std::shared_ptr<const Document> document;
};

// PolicySet: documents and what is known of their principal, compiled into flat arrays. What the
// variables settle is settled when it is made; the rest is looked up in the request.
//
// IoT policies never let anything in by what a client has chosen itself. A variable has a value
// that may be put in if there is exactly one and it holds none of `* $ + ? #`. A statement with a
// variable that has none: an Allow does not match; a Deny takes such a value as plain text, and a
// missing one as equal to nothing. So neither widens what is allowed. In IAM policies values are
// always put in as plain text, and a missing one is equal to nothing; only an Allow with
// NotResource does not match then, as it would allow what it is to spare.
//
// A value, immutable; any thread. It shares its documents and variables.
class PolicySet {
 public:
  PolicySet() = default;  // nothing is allowed
  static PolicySet compile(std::vector<Source> sources,
                           std::shared_ptr<const Variables> variables = nullptr);

  // A Deny that matches decides; otherwise an Allow that matches; otherwise it is denied. For
  // documents without principals. Does not allocate; 140 ns for ten statements at -O3, which
  // policy_set_test.cc prints.
  [[nodiscard]] Verdict check(const Request& request) const;
  // The same for the policies of a resource.
  [[nodiscard]] Grant grant(const Request& request) const;

  // Whether every action of a service ("iot") on everything is allowed whatever is asked: nothing
  // is denied, and one statement without conditions allows it all. Cheap; may miss a way to say so.
  [[nodiscard]] bool allows_everything(std::string_view service) const;

  // What was read: compile again when one of these changes.
  [[nodiscard]] const std::vector<Source>& sources() const { return sources_; }
  // Every variable and condition key that a statement names, sorted, each once.
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_read_; }
  // Whether one of keys() begins so: "iot:Connection.Thing.Attributes[".
  [[nodiscard]] bool reads(std::string_view prefix) const;

 private:
  friend class Compiler;
  friend class Explainer;
  class Lookup;

  struct Range {
    std::uint32_t begin = 0, end = 0;
    [[nodiscard]] bool empty() const { return begin == end; }
  };
  enum class Origin : std::uint8_t { constant, request, current_time, epoch_time };
  struct Key {
    std::string name;
    Origin origin = Origin::request;
    std::vector<std::string_view> constants;  // views into variables_
  };
  // A variable that is looked up in the request.
  struct Slot {
    std::uint32_t key = 0;
    bool has_fallback = false;
    std::string fallback;
  };
  struct Test {
    Operator op;
    std::uint32_t key = 0;
    std::uint32_t condition = 0;  // of the statement
    Range values;                 // in patterns (arn_like: in arns_), numbers_, dates_ or networks_
  };
  struct Rule {
    Effect effect = Effect::deny;
    bool folds = false;       // actions in lower case
    bool strict = false;      // an Allow of IoT
    bool unresolved = false;  // a variable that must have a value has none to put in
    bool never = false;       // a condition that is settled does not hold
    bool not_action = false, not_principal = false, not_resource = false;
    Range actions, resources;  // patterns
    Range principals;
    Range slots;                   // of variables that must have a value
    Range tests;                   // all; first those that depend on the request
    std::uint32_t open_tests = 0;  // their end
    std::uint32_t source = 0, statement = 0;
  };

  // `action`: with its case as the rule wants it.
  [[nodiscard]] Miss miss(const Rule& rule, std::string_view action, const Lookup& lookup) const;
  [[nodiscard]] bool any_matches(Range patterns, std::string_view text, const Lookup& lookup) const;
  [[nodiscard]] Grant names(const Rule& rule, const Principal& principal) const;
  [[nodiscard]] bool holds(const Test& test, const Lookup& lookup) const;
  [[nodiscard]] bool fits(const Test& test, std::string_view actual, const Lookup& lookup) const;
  [[nodiscard]] bool fits_arn(Range values, std::string_view actual, const Lookup& lookup) const;

  std::vector<Rule> rules_;  // denying ones first
  Patterns patterns_;
  std::vector<Range> arns_;  // one pattern, or six
  std::vector<double> numbers_;
  std::vector<std::int64_t> dates_;
  std::vector<Network> networks_;
  std::vector<Test> tests_;
  std::vector<PrincipalName> principals_;
  std::vector<Key> keys_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> rule_slots_;
  bool folds_ = false;  // some rule does

  std::vector<Source> sources_;
  std::shared_ptr<const Variables> variables_;
  std::vector<std::string> keys_read_;
};

// Whether `value` may be put in for a variable of an Allow of an IoT policy.
[[nodiscard]] bool is_plain(std::string_view value);

}  // namespace gnomon::policy
