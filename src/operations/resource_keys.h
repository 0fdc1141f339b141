// What is acted on, as condition keys. Internal to the module.
#pragma once

#include <string_view>
#include <vector>

#include "api/authority.h"
#include "base/result.h"
#include "iam/tags.h"
#include "operations/handler.h"

namespace gnomon::operations {

// aws:ResourceTag/NAME for each tag of the resource that an ARN names, and of IAM's
// iam:ResourceTag/NAME too; then what the row asks of it: its boundary. None if there is no such
// resource, or it can have no tags. Errors: it cannot be told (a store that refuses): then nothing
// may be allowed, since a Deny may ask for them.
Result<std::vector<api::KeyWithValues>, Error> resource_keys(const World& world,
                                                             const api::Row& row,
                                                             std::string_view arn);
// The tags of one of IAM's.
[[nodiscard]] std::vector<api::KeyWithValues> keys_of_iam_tags(const iam::Tags& tags);

}  // namespace gnomon::operations
