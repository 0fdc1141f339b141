// Who calls an operation, once it is proved, and what they may do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "iam/tags.h"
#include "policy/evaluate.h"

namespace gnomon::iam {

// Caller: a value, immutable once it is made; any thread.
struct Caller {
  enum class Kind : std::uint8_t { nobody, root, user, session };
  Kind kind = Kind::nobody;
  std::string account;        // "123456789012"
  std::string arn;            // "arn:aws:iam::123456789012:root", as GetCallerIdentity tells it
  std::string user_id;        // "AIDA…", "AROA…:session name", of the root the account
  std::string access_key_id;  // that it signs with
  std::string user_name;      // of a user, or of a session that a user has for itself; or ""
  std::string role_arn;       // of a session: its role; or ""
  // What a session has. One without a role, which a user or the root has for itself, may do what
  // they may, but for IAM's operations.
  bool temporary = false;  // it signs with a session token
  WallTime expires;
  Tags session_tags;
  std::vector<std::string> transitive_keys;  // of session tags that go on to the next role
  std::string source_identity;
  // What is known of it: aws:username, aws:PrincipalArn, … Every policy that is asked about it is
  // compiled with these, those of resources too. Null: of the root, which no policy concerns.
  std::shared_ptr<const policy::Variables> variables;
  // What its policies say; null: there is none of that kind. The root has none and may do
  // everything.
  std::shared_ptr<const policy::PolicySet> identity, boundary, session;
  std::size_t policy_bytes = 0;  // of all documents in them

  // Nothing is denied to it. (A session of the root's own may not do what IAM does.)
  [[nodiscard]] bool may_do_anything() const { return kind == Kind::root && !temporary; }
  [[nodiscard]] policy::Principal principal() const { return {arn, role_arn, account, {}, {}}; }
  [[nodiscard]] policy::Groups groups() const {
    return {.identity = identity.get(), .boundary = boundary.get(), .session = session.get()};
  }
};

// Whether it is kept from `action` by being a session that the root or a user has for itself: those
// may not call IAM (GetSessionToken, without a multi-factor device), but they may pass roles.
[[nodiscard]] bool is_barred(const Caller& caller, std::string_view action);

// Whether `caller` may do what `request` asks; its principal is filled in. `resource`: the policy
// of what is acted on, compiled with the variables of `caller`, or null.
[[nodiscard]] policy::Verdict authorise(const Caller& caller, policy::Request request,
                                        const policy::PolicySet* resource = nullptr);

}  // namespace gnomon::iam
