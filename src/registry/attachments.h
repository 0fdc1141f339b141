// Policies and their targets: AttachPolicy, DetachPolicy (AttachPrincipalPolicy,
// DetachPrincipalPolicy), ListAttachedPolicies (ListPrincipalPolicies), ListTargetsForPolicy
// (ListPolicyPrincipals), GetEffectivePolicies. A target is the ARN of a certificate or of a thing
// group, the id of a Cognito identity, or one of those that AWS IoT does not have: `gnomon:local`
// (who is on this machine), `gnomon:users` (all of the password file) and `gnomon:user/NAME`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "registry/page.h"
#include "registry/policies.h"
#include "registry/registry.h"

namespace gnomon::registry {

// What the operations that AWS has deprecated take (…PrincipalPolicy): the ARN of a certificate of
// this account or a Cognito identity id, nothing else. Errors: invalid_request.
Reply<Nothing> check_principal(const Registry& registry, std::string_view principal);

// One that is attached already stays. Errors: resource_not_found (the policy, the certificate, the
// group), invalid_request (no target), limit_exceeded (10).
Written<Nothing> attach_policy(Registry& registry, const std::string& policy_name,
                               const std::string& target);
// One that is not attached is detached already. Errors: as above.
Written<Nothing> detach_policy(Registry& registry, const std::string& policy_name,
                               const std::string& target);

// By their names. `recursive`: of a group, those of the groups above it, too. Errors:
// resource_not_found (the target), invalid_request (no target, the token).
Reply<Page<PolicyEntry>> list_attached_policies(const Registry& registry, std::string_view target,
                                                bool recursive, const PageRequest& page);

// Targets, as they are named in requests; `principals_only`: none that
// check_principal() refuses. Errors: resource_not_found,
// invalid_request (the token).
Reply<Page<std::string>> list_targets_for_policy(const Registry& registry,
                                                 std::string_view policy_name, bool principals_only,
                                                 const PageRequest& page);

struct EffectivePolicy {
  std::string policy_name, policy_arn, policy_document;  // of the default version
  std::uint64_t version = 0;
  std::string via;  // "certificate 6fa4…", "identity us-east-1:…", "thing group lights"
};
// All policies that hold for a principal (any target of policies) that connects as a thing: its
// own, of a group those of the groups above it, too; then those of the thing's groups and of the
// groups above them; each once. Either may be empty. Whether the
// principal is attached to the thing is not looked at: who decides about a connection asks
// is_attached() first (principals.h). Errors: resource_not_found (the certificate, the group, the
// thing), invalid_request (no target; neither).
Reply<std::vector<EffectivePolicy>> get_effective_policies(const Registry& registry,
                                                           std::string_view principal,
                                                           const std::string& thing_name);

}  // namespace gnomon::registry
