// Things and their principals: AttachThingPrincipal, DetachThingPrincipal, ListThingPrincipals,
// ListThingPrincipalsV2, ListPrincipalThings, ListPrincipalThingsV2. A principal is the ARN of a
// certificate or the id of a Cognito identity.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "registry/page.h"
#include "registry/registry.h"

namespace gnomon::registry {

// EXCLUSIVE_THING: the principal is attached to this thing and to no other.
enum class ThingPrincipalType : std::uint8_t { non_exclusive_thing, exclusive_thing };
[[nodiscard]] std::string_view to_string(ThingPrincipalType type);  // as in the model

struct AttachThingPrincipal {
  std::string thing_name, principal;
  ThingPrincipalType thing_principal_type = ThingPrincipalType::non_exclusive_thing;
};
// One that is attached already gets the type. Errors: resource_not_found (the thing, the
// certificate); invalid_request (no principal; it is, or would have to be, another thing's alone).
Written<Nothing> attach_thing_principal(Registry& registry, const AttachThingPrincipal& request);

// One that is not attached is detached already. Errors: resource_not_found (the thing, the
// certificate), invalid_request (no principal).
Written<Nothing> detach_thing_principal(Registry& registry, const std::string& thing_name,
                                        const std::string& principal);

struct ThingPrincipalObject {
  std::string principal;
  ThingPrincipalType thing_principal_type{};
};
// `type`: only these. Errors: resource_not_found, invalid_request (the token).
Reply<Page<ThingPrincipalObject>> list_thing_principals(const Registry& registry,
                                                        std::string_view thing_name,
                                                        std::optional<ThingPrincipalType> type,
                                                        const PageRequest& page);

struct PrincipalThingObject {
  std::string thing_name;
  ThingPrincipalType thing_principal_type{};
};
// Errors: resource_not_found, invalid_request (no principal, the token).
Reply<Page<PrincipalThingObject>> list_principal_things(const Registry& registry,
                                                        std::string_view principal,
                                                        std::optional<ThingPrincipalType> type,
                                                        const PageRequest& page);

// Whether a principal, by the id of its certificate or identity, is attached to a thing: what
// `${iot:Connection.Thing.IsAttached}` says. Errors: service_unavailable.
Reply<bool> is_attached(const Registry& registry, std::string_view thing_name,
                        std::string_view principal_id);

}  // namespace gnomon::registry
