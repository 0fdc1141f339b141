// Tags of resources: TagResource, UntagResource, ListTagsForResource. Of the registry's: thing
// types, thing groups, billing groups, policies, CA certificates; and provisioning templates and
// role aliases. (Things and device certificates have none, as with AWS.)
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "registry/page.h"
#include "registry/registry.h"

namespace gnomon::registry {

using Tags = std::map<std::string, std::string>;

// Adds tags, or gives those that are there another value. Errors: resource_not_found,
// invalid_request (no such kind of resource; a key that begins "aws:"), limit_exceeded (50).
Written<Nothing> tag_resource(Registry& registry, std::string_view resource_arn, const Tags& tags);
// Keys that it does not have do no harm. Errors: resource_not_found, invalid_request.
Written<Nothing> untag_resource(Registry& registry, std::string_view resource_arn,
                                const std::vector<std::string>& tag_keys);
// All of them. Errors: resource_not_found, invalid_request.
Reply<Tags> list_tags_for_resource(const Registry& registry, std::string_view resource_arn);

}  // namespace gnomon::registry
