// RegisterThing: what a template says, done to the registry as one batch.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "provisioning/provisioning.h"
#include "provisioning/template.h"
#include "registry/steps.h"

namespace gnomon::provisioning {

struct RegisteredThing {
  std::string thing_name;                            // empty: the template has none
  std::string certificate_pem;                       // empty: the same
  std::map<std::string, std::string> resource_arns;  // by logical ids
};
// Errors: invalid_request (the template, a parameter); resource_registration_failure (what the
// registry refuses: a type, group, policy or certificate that is not there, limits, a policy
// document); conflicting_resource_update (a setting FAIL, and it is there); service_unavailable.
registry::Written<RegisteredThing> register_thing(Provisioning& provisioning,
                                                  std::string_view template_body,
                                                  const Parameters& parameters);

// ---- internal to the module

// The parameters with those that every template has.
[[nodiscard]] Parameters with_account(const registry::Registry& registry, Parameters parameters);

// Applies a plan within a change. `issued`: the certificate for its request, made before. A
// certificate that is PENDING_ACTIVATION is a new one: it gets the template's status, whatever its
// setting. Errors: as above but for the template's.
registry::Reply<RegisteredThing> apply(registry::Change& change, const Plan& plan,
                                       const std::optional<crypto::Certificate>& issued);

}  // namespace gnomon::provisioning
