// Provisioning: what all its operations are given. They are plain functions, in a header for each
// group of them (README.md), as those of the registry.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "crypto/seal.h"
#include "provisioning/expression.h"
#include "registry/registry.h"

namespace gnomon::provisioning {

// What a pre-provisioning hook is asked (AWS IoT: "Pre-provisioning hooks").
struct HookRequest {
  std::string target_arn, payload_version;  // of the template: who is asked, and how
  std::string claim_certificate_id;         // "": the principal has no certificate
  std::string certificate_id, certificate_pem, template_arn, client_id;
  Parameters parameters;  // as the device gave them
};
struct HookAnswer {
  bool allow_provisioning = false;
  Parameters parameter_overrides;  // instead of the device's
};

// Hook: asks the function of a template. The room for functions; there is nobody behind it yet.
// Threads: the pool's, any of them; it may wait for the answer (AWS IoT: 5 s).
class Hook {
 public:
  virtual ~Hook() = default;
  // Errors: whatever kept it from answering; then nothing is provisioned.
  virtual Result<HookAnswer> ask(const HookRequest& request) = 0;
};

// Whether somebody may do this, an action, with that, an ARN.
using Permit = std::function<bool(std::string_view action, std::string_view resource)>;

// Roles: what provisioning is done with: the role of a template or of a CA's registration config,
// taken for that one. Threads: the pool's, any of them.
class Roles {
 public:
  virtual ~Roles() = default;
  // `source`: the ARN of the template or CA. Errors: denied (there is no such role, or it does not
  // trust iot.amazonaws.com), unavailable.
  virtual Result<Permit> take(const std::string& role_arn, const std::string& source) = 0;
};

// Provisioning: the ports. Owner: the server. Threads: any, all operations: a pool's.
struct Provisioning {
  registry::Registry& registry;
  const crypto::Sealer& sealer;  // for ownership tokens
  Roles& roles;
  Hook* hook = nullptr;  // null: templates that name a hook are refused
};

// A role of this account: "arn:aws:iam::123456789012:role/…". Whether it exists is not asked.
// Errors: invalid_request.
registry::Reply<registry::Nothing> check_role(const registry::Registry& registry,
                                              std::string_view arn);

}  // namespace gnomon::provisioning
