#include "provisioning/provisioning.h"

namespace gnomon::provisioning {

namespace {

bool is_role_arn(const registry::Registry& registry, std::string_view arn) {
  const std::string prefix = "arn:aws:iam::" + registry.account + ":role/";
  return arn.starts_with(prefix) && arn.size() > prefix.size();
}

}  // namespace

registry::Reply<registry::Nothing> check_role(const registry::Registry& registry,
                                              std::string_view arn) {
  if (is_role_arn(registry, arn)) return registry::Nothing{};
  return registry::invalid("Invalid role ARN: " + std::string(arn) +
                           " (expected arn:aws:iam::" + registry.account + ":role/NAME)");
}

}  // namespace gnomon::provisioning
