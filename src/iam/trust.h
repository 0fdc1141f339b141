// Roles by their ARNs, and whom they trust. Internal to the module.
#pragma once

#include <memory>
#include <string_view>

#include "iam/entities.h"
#include "iam/failure.h"
#include "iam/iam.h"
#include "policy/policy_set.h"
#include "records/transaction.h"

namespace gnomon::iam {

// The role of an ARN. Errors: `missing`: there is none of exactly this ARN.
Reply<Entity> load_role(const Iam& iam, records::Transaction& records, std::string_view role_arn,
                        const Failure& missing);

// The trust policy of a role, for a principal of whom `variables` are known. One that does not
// parse trusts nobody.
[[nodiscard]] policy::PolicySet trust_of(const Entity& role,
                                         std::shared_ptr<const policy::Variables> variables);

}  // namespace gnomon::iam
