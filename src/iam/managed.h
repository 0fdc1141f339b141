// Managed policies in the store. Internal to the module.
#pragma once

#include <string>

#include "iam/policies.h"
#include "iam/stored.h"
#include "policy/document.h"

namespace gnomon::iam {

// The policy of exactly this ARN. Errors: no_such_entity, invalid_input.
Reply<ManagedPolicy> load_policy(const Iam& iam, records::Transaction& records,
                                 const std::string& policy_arn);
[[nodiscard]] const PolicyVersion& default_of(const ManagedPolicy& policy);

// What a user or role has of a policy.
enum class Use : std::uint8_t { attached, boundary };
// Counts one more, or one less, in the policy, and lists it there. Errors: those of load_policy().
Reply<Nothing> use(const Iam& iam, records::Transaction& records, const Owner& owner,
                   const Entity& entity, const std::string& policy_arn, Use as, bool more);

Reply<Nothing> check_tags(const Tags& tags);
[[nodiscard]] Failure too_many_tags();
Reply<Nothing> check_document(const std::string& document, policy::Kind kind);

}  // namespace gnomon::iam
