// Users and roles, which IAM calls entities: CreateUser, GetUser, UpdateUser, DeleteUser,
// ListUsers, the same of roles, UpdateAssumeRolePolicy, tags, inline policies. What is done to both
// in the same way takes an Owner.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "iam/failure.h"
#include "iam/iam.h"
#include "iam/page.h"
#include "iam/tags.h"

namespace gnomon::iam {

// A user or a role, as it is told and kept.
struct Entity {
  std::string name, path, id;  // "Ann", "/division/", "AIDA…" or "AROA…"
  WallTime created;
  Tags tags;
  std::map<std::string, std::string> policies;  // inline: name → document
  std::vector<std::string> attached;            // ARNs of managed policies, sorted
  std::string boundary;                         // ARN of a managed policy; or ""
  std::vector<std::string> access_keys;         // of a user: their ids
  std::string trust, description;               // of a role
  std::uint64_t max_session_seconds = 3600;     // of a role
  static void fields(auto& r, auto& archive) {
    archive(r.name, r.path, r.id, r.created, r.tags, r.policies, r.attached, r.boundary,
            r.access_keys, r.trust, r.description, r.max_session_seconds);
  }
};

enum class EntityKind : std::uint8_t { user, role };
[[nodiscard]] std::string_view to_string(EntityKind kind);  // "user", "role"

// Which one. Names are told apart by more than their case, and yet no two differ in nothing else.
struct Owner {
  EntityKind kind;
  std::string name;
};
[[nodiscard]] std::string arn(const Iam& iam, EntityKind kind, const Entity& entity);

struct CreateUser {
  std::string name, path = "/";
  Tags tags;
  std::string boundary;
};
// Errors: entity_already_exists, invalid_input (tags), no_such_entity (the boundary),
// limit_exceeded (5,000 users).
Written<Entity> create_user(Iam& iam, const CreateUser& request);

struct CreateRole {
  std::string name, path = "/", trust, description;
  std::uint64_t max_session_seconds = 3600;
  Tags tags;
  std::string boundary;
};
// Errors: those of create_user; malformed_policy, limit_exceeded (the trust policy; 1,000 roles).
Written<Entity> create_role(Iam& iam, const CreateRole& request);

// Errors: no_such_entity.
Reply<Entity> get_entity(const Iam& iam, const Owner& owner);
// By name, of those whose path begins so. Errors: validation.
Reply<Page<Entity>> list_entities(const Iam& iam, EntityKind kind, std::string_view path_prefix,
                                  const PageRequest& page);
// A new name, path, or both; keys and sessions stay valid. Errors: no_such_entity,
// entity_already_exists.
Written<Nothing> update_user(Iam& iam, const std::string& name,
                             const std::optional<std::string>& new_name,
                             const std::optional<std::string>& new_path);
// Errors: no_such_entity.
Written<Entity> update_role(Iam& iam, const std::string& name,
                            const std::optional<std::string>& description,
                            const std::optional<std::uint64_t>& max_session_seconds);
// Errors: no_such_entity, malformed_policy, limit_exceeded.
Written<Nothing> update_trust(Iam& iam, const std::string& role, const std::string& document);
// Sessions of it end. Errors: no_such_entity, delete_conflict (keys, policies).
Written<Nothing> delete_entity(Iam& iam, const Owner& owner);

// Errors: no_such_entity, limit_exceeded (50), invalid_input (a key that begins "aws:").
Written<Nothing> tag_entity(Iam& iam, const Owner& owner, const Tags& tags);
// Errors: no_such_entity.
Written<Nothing> untag_entity(Iam& iam, const Owner& owner, const std::vector<std::string>& keys);

// Errors: no_such_entity, malformed_policy, limit_exceeded (2,048 characters for all of a user,
// 10,240 for all of a role).
Written<Nothing> put_policy(Iam& iam, const Owner& owner, const std::string& name,
                            const std::string& document);
// Its document. Errors: no_such_entity.
Reply<std::string> get_policy(const Iam& iam, const Owner& owner, const std::string& name);
// Errors: no_such_entity.
Written<Nothing> delete_policy(Iam& iam, const Owner& owner, const std::string& name);

// ---- access keys

struct AccessKey {
  std::string id, user_id;  // "AKIA…", "AIDA…"
  std::string sealed;       // its secret
  bool active = true;
  WallTime created;
  static void fields(auto& r, auto& archive) {
    archive(r.id, r.user_id, r.sealed, r.active, r.created);
  }
};
struct NewAccessKey {
  AccessKey key;
  std::string secret;  // told once
};
// Errors: no_such_entity, limit_exceeded (2).
Written<NewAccessKey> create_access_key(Iam& iam, const std::string& user);
// Errors: no_such_entity.
Written<Nothing> update_access_key(Iam& iam, const std::string& user, const std::string& id,
                                   bool active);
Written<Nothing> delete_access_key(Iam& iam, const std::string& user, const std::string& id);
Reply<std::vector<AccessKey>> list_access_keys(const Iam& iam, const std::string& user);
// The name of the user who has it. Errors: no_such_entity.
Reply<std::string> user_of_access_key(const Iam& iam, const std::string& id);
// How many keys' secrets do not open under this master key: whoever has them cannot call. Reads
// all.
Reply<std::size_t> count_unreadable_keys(const Iam& iam);

}  // namespace gnomon::iam
