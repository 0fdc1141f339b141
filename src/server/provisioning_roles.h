// The roles that provisioning is done with, as iam has them.
#pragma once

#include <string>

#include "iam/iam.h"
#include "provisioning/provisioning.h"

namespace gnomon::server {

// ProvisioningRoles: Owner: the server. Threads: any.
class ProvisioningRoles final : public provisioning::Roles {
 public:
  explicit ProvisioningRoles(const iam::Iam& iam) : iam_(iam) {}
  Result<provisioning::Permit> take(const std::string& role_arn,
                                    const std::string& source) override;

 private:
  const iam::Iam& iam_;
};

}  // namespace gnomon::server
