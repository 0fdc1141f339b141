// Managed policies: CreatePolicy, its versions, tags, and the users and roles that it is attached
// to or the boundary of. There are none of AWS's own (arn:aws:iam::aws:policy/…).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "iam/entities.h"
#include "iam/failure.h"
#include "iam/iam.h"
#include "iam/page.h"

namespace gnomon::iam {

struct PolicyVersion {
  std::uint64_t number = 0;  // 1: "v1"
  WallTime created;
  std::string document;
  static void fields(auto& r, auto& archive) { archive(r.number, r.created, r.document); }
};

// A managed policy, as it is told and kept.
struct ManagedPolicy {
  std::string name, path, id, description;  // "dev", "/", "ANPA…"
  WallTime created, updated;
  Tags tags;
  std::vector<PolicyVersion> versions;  // five at most, the oldest first
  std::uint64_t default_version = 1, last_version = 1;
  std::uint64_t attachments = 0, boundaries = 0;  // how many have it
  static void fields(auto& r, auto& archive) {
    archive(r.name, r.path, r.id, r.description, r.created, r.updated, r.tags, r.versions,
            r.default_version, r.last_version, r.attachments, r.boundaries);
  }
};
[[nodiscard]] std::string arn(const Iam& iam, const ManagedPolicy& policy);

struct CreatePolicy {
  std::string name, path = "/", description, document;
  Tags tags;
};
// Errors: entity_already_exists, malformed_policy, limit_exceeded (6,144 characters; 1,500
// policies), invalid_input.
Written<ManagedPolicy> create_policy(Iam& iam, const CreatePolicy& request);
// In all that follow: no_such_entity, invalid_input (no ARN of a policy).
Reply<ManagedPolicy> get_policy(const Iam& iam, const std::string& policy_arn);
// Errors: delete_conflict (it is used, or has versions but the default one).
Written<Nothing> delete_policy(Iam& iam, const std::string& policy_arn);
struct ListPolicies {
  std::string path_prefix = "/";
  bool attached = false;  // only those that are
  bool boundary = false;  // only those that are somebody's
};
// By name. Errors: validation.
Reply<Page<ManagedPolicy>> list_policies(const Iam& iam, const ListPolicies& request,
                                         const PageRequest& page);

// Errors: malformed_policy, limit_exceeded (five versions; characters).
Written<PolicyVersion> create_version(Iam& iam, const std::string& policy_arn,
                                      const std::string& document, bool set_as_default);
// `version`: "v1". Errors: delete_conflict (the default one).
Written<Nothing> delete_version(Iam& iam, const std::string& policy_arn,
                                const std::string& version);
Written<Nothing> set_default_version(Iam& iam, const std::string& policy_arn,
                                     const std::string& version);

[[nodiscard]] Failure no_version(std::string_view policy_arn, std::string_view version);

// Errors: limit_exceeded (50), invalid_input.
Written<Nothing> tag_policy(Iam& iam, const std::string& policy_arn, const Tags& tags);
Written<Nothing> untag_policy(Iam& iam, const std::string& policy_arn,
                              const std::vector<std::string>& keys);

// What conditions may ask of a user, role or managed policy.
struct Target {
  Tags tags;
  std::string boundary;  // of a user or role: the ARN of a managed policy; or ""
};
// Of what an ARN names; nothing of what is not there. Errors: unavailable.
Reply<Target> find_target(const Iam& iam, std::string_view arn);

// Once is enough. Errors: limit_exceeded (ten of a user or role).
Written<Nothing> attach(Iam& iam, const Owner& owner, const std::string& policy_arn);
Written<Nothing> detach(Iam& iam, const Owner& owner, const std::string& policy_arn);
// "": none.
Written<Nothing> set_boundary(Iam& iam, const Owner& owner, const std::string& policy_arn);

// A user or role that has a policy.
struct PolicyUse {
  EntityKind kind = EntityKind::user;
  std::string name, path, id;
  bool attached = false, boundary = false;
};
// Users first, then roles, by id.
Reply<std::vector<PolicyUse>> list_uses(const Iam& iam, const std::string& policy_arn);

}  // namespace gnomon::iam
