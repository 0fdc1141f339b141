#include "server/provisioning_roles.h"

#include "iam/sessions.h"

namespace gnomon::server {

Result<provisioning::Permit> ProvisioningRoles::take(const std::string& role_arn,
                                                     const std::string& source) {
  auto caller = iam::act_as(iam_, role_arn, "iot.amazonaws.com", {.name = "provisioning"},
                            {.arn = source, .account = iam_.account});
  if (!caller) {
    const bool trouble = caller.error().kind == iam::Kind::unavailable;
    return Error{trouble ? Code::unavailable : Code::denied, caller.error().message};
  }
  return provisioning::Permit([caller = *std::move(caller), now = iam_.clock.now()](
                                  std::string_view action, std::string_view resource) {
    return iam::authorise(*caller, {.action = action, .resource = resource, .now = now}) ==
           policy::Verdict::allowed;
  });
}

}  // namespace gnomon::server
