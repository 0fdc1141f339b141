#include "operations/resource_keys.h"

#include <initializer_list>
#include <string>

#include "iam/policies.h"
#include "registry/tags.h"

namespace gnomon::operations {

namespace {

using Keys = std::vector<api::KeyWithValues>;

Keys keys_of(const auto& tags, std::initializer_list<std::string_view> prefixes) {
  Keys keys;
  for (const auto& [name, value] : tags) {
    for (const std::string_view prefix : prefixes)
      keys.push_back({std::string(prefix) + name, {value}});
  }
  return keys;
}

Result<Keys, Error> of_iot(const World& world, std::string_view arn) {
  const auto tags = registry::list_tags_for_resource(world.registry, arn);
  if (tags) return keys_of(*tags, {"aws:ResourceTag/"});
  if (tags.error().kind == registry::Kind::service_unavailable)
    return Error{Code::unavailable, tags.error().message};
  return Keys{};
}

Result<Keys, Error> of_iam(const World& world, const api::Row& row, std::string_view arn) {
  const auto target = iam::find_target(world.iam, arn);
  if (!target) return Error{Code::unavailable, target.error().message};
  Keys keys = keys_of_iam_tags(target->tags);
  if (target->boundary.empty()) return keys;
  for (const api::ConditionKey& key : row.keys) {
    if (key.kind == api::ConditionKey::Kind::target_boundary)
      keys.push_back({std::string(key.name), {target->boundary}});
  }
  return keys;
}

}  // namespace

std::vector<api::KeyWithValues> keys_of_iam_tags(const iam::Tags& tags) {
  return keys_of(tags, {"aws:ResourceTag/", "iam:ResourceTag/"});
}

Result<Keys, Error> resource_keys(const World& world, const api::Row& row, std::string_view arn) {
  if (arn.starts_with("arn:aws:iot:")) return of_iot(world, arn);
  if (arn.starts_with("arn:aws:iam:")) return of_iam(world, row, arn);
  return Keys{};
}

}  // namespace gnomon::operations
