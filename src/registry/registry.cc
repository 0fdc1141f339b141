#include "registry/registry.h"

namespace gnomon::registry {

namespace {

std::string arn_prefix(const Registry& registry) {
  return "arn:aws:iot:" + registry.region + ':' + registry.account + ':';
}

}  // namespace

std::string arn(const Registry& registry, std::string_view resource) {
  return arn_prefix(registry).append(resource);
}

std::string_view resource_of(const Registry& registry, std::string_view arn) {
  const std::string prefix = arn_prefix(registry);
  return arn.starts_with(prefix) ? arn.substr(prefix.size()) : std::string_view();
}

Reply<std::string> name_of(const Registry& registry, std::string_view kind, std::string_view name,
                           std::string_view arn) {
  if (arn.empty() && name.empty()) {
    return invalid("Either the name or the ARN of the " +
                   std::string(kind.substr(0, kind.size() - 1)) + " must be given.");
  }
  if (arn.empty()) return std::string(name);
  const std::string_view resource = resource_of(registry, arn);
  if (!resource.starts_with(kind) || resource.size() == kind.size()) {
    return invalid("Invalid ARN: " + std::string(arn) + " (expected " +
                   registry::arn(registry, kind) + "NAME)");
  }
  const std::string_view named = resource.substr(kind.size());
  if (!name.empty() && name != named) {
    return invalid("The name " + std::string(name) + " and the ARN " + std::string(arn) +
                   " do not name the same.");
  }
  return std::string(named);
}

}  // namespace gnomon::registry
