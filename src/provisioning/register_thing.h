// RegisterThing: what a template says, done to the registry as one batch.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provisioning/provisioning.h"
#include "provisioning/template.h"
#include "registry/steps.h"

namespace gnomon::provisioning {

struct RegisteredThing {
  std::string thing_name;                            // empty: the template has none
  std::string certificate_pem;                       // empty: the same
  std::map<std::string, std::string> resource_arns;  // by logical ids
};
// What a template says with these parameters. Errors: invalid_request (either of them).
registry::Reply<Plan> plan_of(const Provisioning& provisioning, std::string_view template_body,
                              const Parameters& parameters);

// What whoever has a plan carried out must be allowed to do: an action on the ARN of a resource. Of
// a certificate that is to be made, whose id nobody knows yet, that is "cert/*".
struct Need {
  std::string action, resource;
};
[[nodiscard]] std::vector<Need> needs_of(const registry::Registry& registry, const Plan& plan);

// Errors: invalid_request (a request for a certificate); resource_registration_failure (what the
// registry refuses: a type, group, policy or certificate that is not there, limits, a policy
// document); conflicting_resource_update (a setting FAIL, and it is there); service_unavailable.
registry::Written<RegisteredThing> register_thing(Provisioning& provisioning, const Plan& plan);

// ---- internal to the module

// Whether the role may do what the plan needs. Errors: resource_registration_failure (it may not,
// or cannot be taken), service_unavailable.
registry::Reply<registry::Nothing> check_permit(const Provisioning& provisioning,
                                                const std::string& role_arn,
                                                const std::string& source, const Plan& plan);

// The parameters with those that every template has.
[[nodiscard]] Parameters with_account(const registry::Registry& registry, Parameters parameters);

// Applies a plan within a change. `issued`: the certificate for its request, made before. A
// certificate that is PENDING_ACTIVATION is a new one: it gets the template's status, whatever its
// setting. Errors: as above but for the template's.
registry::Reply<RegisteredThing> apply(registry::Change& change, const Plan& plan,
                                       const std::optional<crypto::Certificate>& issued);

}  // namespace gnomon::provisioning
