// Standing: what holds for a principal that connects: its policies, and what they may read of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/certificate.h"
#include "identity/documents.h"
#include "policy/policy_set.h"
#include "registry/registry.h"

namespace gnomon::identity {

// A connection that asks to be let in.
struct Arrival {
  std::string client_id;
  std::string address{};    // "192.0.2.1": aws:SourceIp
  std::string host{};       // that TLS was begun for: iot:DomainName; empty: none was named
  bool persistent = false;  // iot:ConnectAttributes: PersistentConnect
  bool last_will = false;   // the same: LastWill
};

struct Standing {
  std::vector<policy::Source> sources;  // "NAME:VERSION", each once
  policy::Variables variables;
  [[nodiscard]] policy::PolicySet compile() &&;
};

// All read the store, and may wait for its lock. Errors of all: service_unavailable (also a policy
// that cannot be read: what it denies is not known).

// A registered certificate: its own policies and, if it is attached to the thing that it connects
// as, those of the thing's groups.
registry::Reply<Standing> standing_of(const registry::Registry& registry, Documents& documents,
                                      const crypto::Certificate& certificate,
                                      const Arrival& arrival);
// Who needs no certificate: "local" by gnomon:local, "user/NAME" by gnomon:user/NAME and
// gnomon:users.
registry::Reply<Standing> standing_of(const registry::Registry& registry, Documents& documents,
                                      std::string_view principal, const Arrival& arrival);

// What if: somebody who does not connect at all.
struct Supposition {
  std::string target;     // what policies may be attached to (registry/attachments.h); "": nobody
  std::string client_id;  // "": not known, and so is the thing
  std::vector<std::string> policies_to_add, policies_to_skip;  // names
  policy::Variables known{};  // further keys, or in place of what the registry says
};
// Errors: resource_not_found (the certificate, the group, a policy to add), invalid_request (no
// target).
registry::Reply<Standing> suppose(const registry::Registry& registry, Documents& documents,
                                  const Supposition& supposition);

}  // namespace gnomon::identity
