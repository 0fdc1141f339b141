// How policies of several kinds decide together (IAM, "Policy evaluation logic", one account).
#pragma once

#include "policy/policy_set.h"

namespace gnomon::policy {

// The sets that take part; null: there is none of that kind. Borrowed.
struct Groups {
  const PolicySet* identity = nullptr;  // of the user, or of the role
  const PolicySet* resource = nullptr;  // of what is acted on
  const PolicySet* boundary = nullptr;  // the most that `identity` may allow
  const PolicySet* session = nullptr;   // the most that this session may do
  bool trust = false;  // `resource` is the trust policy of a role: without its word nothing goes
};

// 1. A Deny that matches in any of the groups decides.
// 2. The resource's policy names the caller itself (Grant::direct): allowed, whatever boundary and
//    session allow.
// 3. It names the role of the session (Grant::role), or the identity's policies allow it: allowed
//    if boundary and session allow it, too.
// 4. It names only the account (Grant::account): that alone allows nothing; of a trust policy it is
//    what lets 3. begin for the identity's policies.
[[nodiscard]] Verdict evaluate(const Groups& groups, const Request& request);

// What two authorities decide together, as the IoT policy and the role of a Cognito identity: both
// must allow it.
[[nodiscard]] Verdict intersect(Verdict a, Verdict b);

}  // namespace gnomon::policy
