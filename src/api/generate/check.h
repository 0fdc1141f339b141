// Whether rows say all that must be said, and nothing that their model does not know.
#pragma once

#include "api/generate/model.h"
#include "api/generate/rows.h"

namespace gnomon::api::generate {

// Throws Failure, which names the row:
//   - an operation, member or shape that the model does not have;
//   - a member that need not be there, in a template that is not optional;
//   - an input with a role's ARN, and no word of whom the role is passed to, or a word without one;
//   - a protocol, location or type that api/ cannot read.
void check(const Model& model, const Rows& rows);

}  // namespace gnomon::api::generate
