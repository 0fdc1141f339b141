// IoT policies and their versions: CreatePolicy, GetPolicy, DeletePolicy, ListPolicies,
// CreatePolicyVersion, GetPolicyVersion, DeletePolicyVersion, ListPolicyVersions,
// SetDefaultPolicyVersion. What they are attached to is in attachments.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "registry/page.h"
#include "registry/registry.h"
#include "registry/tags.h"

namespace gnomon::registry {

struct PolicyVersionDescription {
  std::string policy_name, policy_arn, policy_document;
  std::uint64_t version = 0;  // "1" on the wire
  bool is_default_version = false;
  WallTime creation_date;
  std::string generation_id;
};

struct CreatePolicy {
  std::string policy_name, policy_document;
  Tags tags;
};
// Its first version, the default one. Errors: resource_already_exists (always if it is there),
// malformed_policy, invalid_request (tags).
Written<PolicyVersionDescription> create_policy(Registry& registry, const CreatePolicy& request);

struct PolicyDescription {
  std::string policy_name, policy_arn, policy_document;  // of the default version
  std::uint64_t default_version = 0;
  WallTime creation_date, last_modified_date;
  std::string generation_id;
};
// Errors: resource_not_found.
Reply<PolicyDescription> get_policy(const Registry& registry, std::string_view policy_name);

// Errors: resource_not_found; delete_conflict (it is attached, or has versions but the default).
Written<Nothing> delete_policy(Registry& registry, const std::string& policy_name);

struct PolicyEntry {
  std::string policy_name, policy_arn;
};
// By their names. Errors: invalid_request (the token).
Reply<Page<PolicyEntry>> list_policies(const Registry& registry, bool ascending,
                                       const PageRequest& page);

// Errors: resource_not_found, malformed_policy, versions_limit_exceeded (5).
Written<PolicyVersionDescription> create_policy_version(Registry& registry,
                                                        const std::string& policy_name,
                                                        const std::string& policy_document,
                                                        bool set_as_default);
// Errors: resource_not_found (the policy, the version).
Reply<PolicyVersionDescription> get_policy_version(const Registry& registry,
                                                   std::string_view policy_name,
                                                   std::uint64_t version);
// Errors: resource_not_found, delete_conflict (the default version).
Written<Nothing> delete_policy_version(Registry& registry, const std::string& policy_name,
                                       std::uint64_t version);

struct PolicyVersionEntry {
  std::uint64_t version = 0;
  bool is_default_version = false;
  WallTime create_date;
};
// All of them, the newest first. Errors: resource_not_found.
Reply<std::vector<PolicyVersionEntry>> list_policy_versions(const Registry& registry,
                                                            std::string_view policy_name);
// Errors: resource_not_found.
Written<Nothing> set_default_policy_version(Registry& registry, const std::string& policy_name,
                                            std::uint64_t version);

}  // namespace gnomon::registry
