// Why somebody may do something, or not, without their calling.
#pragma once

#include <string_view>

#include "iam/failure.h"
#include "iam/iam.h"
#include "policy/explain.h"

namespace gnomon::iam {

// What the policies of `principal` decide: the root, a user, a role (a session of it, named
// "explained"), or a role's session by its name, as their ARNs have them. What a session was given
// when it began, session policies and tags, is not known. Of sts:AssumeRole, the trust policy of
// the role that `request.resource` names has a say. `request.principal` is filled in. Errors:
// no_such_entity (the principal), unavailable.
Reply<policy::Explanation> explain(const Iam& iam, std::string_view principal,
                                   policy::Request request);

}  // namespace gnomon::iam
