// Role aliases, by which devices ask for credentials of a role: CreateRoleAlias, DescribeRoleAlias,
// UpdateRoleAlias, DeleteRoleAlias, ListRoleAliases.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "provisioning/provisioning.h"
#include "registry/page.h"
#include "registry/tags.h"

namespace gnomon::provisioning {

struct NamedRoleAlias {
  std::string role_alias, role_alias_arn;
};

struct CreateRoleAlias {
  std::string role_alias, role_arn;
  std::chrono::seconds duration{3600};  // of credentials; AWS IoT: 900 to 43,200
  registry::Tags tags;
};
// Errors: resource_already_exists, invalid_request (no role of this account, tags), limit_exceeded
// (100).
registry::Written<NamedRoleAlias> create_role_alias(Provisioning& provisioning,
                                                    const CreateRoleAlias& request);

struct RoleAliasDescription {
  std::string role_alias, role_alias_arn, role_arn;
  std::string owner;  // the account
  std::chrono::seconds duration{};
  WallTime creation_date, last_modified_date;
};
// Errors: resource_not_found.
registry::Reply<RoleAliasDescription> describe_role_alias(const Provisioning& provisioning,
                                                          std::string_view role_alias);

struct UpdateRoleAlias {
  std::string role_alias;
  std::optional<std::string> role_arn;
  std::optional<std::chrono::seconds> duration;
};
// Errors: resource_not_found, invalid_request (no role of this account).
registry::Written<NamedRoleAlias> update_role_alias(Provisioning& provisioning,
                                                    const UpdateRoleAlias& request);
// Errors: resource_not_found.
registry::Written<registry::Nothing> delete_role_alias(Provisioning& provisioning,
                                                       const std::string& role_alias);
// Names, in their order or the reverse. Errors: invalid_request (the token).
registry::Reply<registry::Page<std::string>> list_role_aliases(const Provisioning& provisioning,
                                                               bool ascending,
                                                               const registry::PageRequest& page);

}  // namespace gnomon::provisioning
