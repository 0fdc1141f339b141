// Billing groups, of which a thing is in one at most: CreateBillingGroup, DescribeBillingGroup,
// UpdateBillingGroup, DeleteBillingGroup, ListBillingGroups, AddThingToBillingGroup,
// RemoveThingFromBillingGroup, ListThingsInBillingGroup.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "registry/page.h"
#include "registry/registry.h"
#include "registry/tags.h"
#include "registry/thing_groups.h"

namespace gnomon::registry {

struct CreateBillingGroup {
  std::string billing_group_name;
  std::string billing_group_description;  // empty: none
  Tags tags;
};
struct CreatedBillingGroup {
  std::string billing_group_name, billing_group_arn, billing_group_id;
};
// One that is there with the same description is created again without an effect. Errors:
// resource_already_exists (it differs), invalid_request (tags).
Written<CreatedBillingGroup> create_billing_group(Registry& registry,
                                                  const CreateBillingGroup& request);

struct BillingGroupDescription {
  std::string billing_group_name, billing_group_arn, billing_group_id;
  std::uint64_t version = 0;
  std::string billing_group_description;  // empty: none
  WallTime creation_date;
};
// Errors: resource_not_found.
Reply<BillingGroupDescription> describe_billing_group(const Registry& registry,
                                                      std::string_view name);

struct UpdateBillingGroup {
  std::string billing_group_name;
  std::optional<std::string> billing_group_description;  // nullopt: as it is
  std::optional<std::uint64_t> expected_version;
};
// Returns the new version. Errors: resource_not_found, version_conflict.
Written<std::uint64_t> update_billing_group(Registry& registry, const UpdateBillingGroup& request);

// Its things are in none then. One that is not there is deleted already. Errors: version_conflict.
Written<Nothing> delete_billing_group(Registry& registry, const std::string& name,
                                      std::optional<std::uint64_t> expected_version = {});

// In the order of the names. Errors: invalid_request (the token).
Reply<Page<GroupNameAndArn>> list_billing_groups(const Registry& registry,
                                                 std::string_view name_prefix,
                                                 const PageRequest& page);

// A thing and a billing group, each by its name or its ARN.
struct ThingInBillingGroup {
  std::string billing_group_name, billing_group_arn, thing_name, thing_arn;
};
// A thing that is in another one leaves that. Errors: resource_not_found, invalid_request (the
// names).
Written<Nothing> add_thing_to_billing_group(Registry& registry, const ThingInBillingGroup& request);
// Errors: the same.
Written<Nothing> remove_thing_from_billing_group(Registry& registry,
                                                 const ThingInBillingGroup& request);

// Names, in their order. Errors: resource_not_found, invalid_request (the token).
Reply<Page<std::string>> list_things_in_billing_group(const Registry& registry,
                                                      std::string_view name,
                                                      const PageRequest& page);

}  // namespace gnomon::registry
