// Who calls an operation, once it is proved, and what they may do.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "policy/evaluate.h"

namespace gnomon::iam {

// Caller: a value, immutable once it is made; any thread.
struct Caller {
  enum class Kind : std::uint8_t { root, user, session };
  Kind kind = Kind::root;
  std::string account;        // "123456789012"
  std::string arn;            // "arn:aws:iam::123456789012:root", as GetCallerIdentity tells it
  std::string user_id;        // "AIDA…", "AROA…:session name", of the root the account
  std::string access_key_id;  // that it signs with
  std::string user_name;      // of a user, or of a session that a user has for itself; or ""
  std::string role_arn;       // of a session: its role; or ""
  // What its policies say, compiled with what is known of it (aws:username, aws:PrincipalArn, …);
  // null: there is none of that kind. The root has none and may do everything.
  std::shared_ptr<const policy::PolicySet> identity, boundary, session;

  [[nodiscard]] policy::Principal principal() const { return {arn, role_arn, account, {}, {}}; }
  [[nodiscard]] policy::Groups groups() const {
    return {.identity = identity.get(), .boundary = boundary.get(), .session = session.get()};
  }
};

// Whether `caller` may do what `request` asks; its principal is filled in. `resource`: the policy
// of what is acted on, or null.
[[nodiscard]] policy::Verdict authorise(const Caller& caller, policy::Request request,
                                        const policy::PolicySet* resource = nullptr);

}  // namespace gnomon::iam
