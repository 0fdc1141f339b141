// What policies and things are attached to. Internal to the module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "records/transaction.h"
#include "registry/registry.h"

namespace gnomon::registry {

struct Target {
  enum class Kind : std::uint8_t { certificate, identity, group };
  Kind kind = Kind::certificate;
  // Of a certificate, of an identity (Cognito's "us-east-1:…", or one of this program's own,
  // "gnomon:user/lamp"), 16 bytes of a group.
  std::string id;

  // What principal_of() takes, rather than parse_target() alone.
  [[nodiscard]] bool is_principal() const;
  // As it stands in keys.
  [[nodiscard]] std::string text() const;
};
// From keys.
[[nodiscard]] Target target_of(std::string_view text);

// Of a principal by its id alone: that of an identity has a colon.
[[nodiscard]] Target target_with_id(std::string_view principal_id);

// A principal as requests name it: the ARN of a certificate of this account, or a Cognito identity
// id. It need not exist. Errors: invalid_request.
Reply<Target> principal_of(const Registry& registry, std::string_view principal);
// What a policy may be attached to: a principal; the ARN of a thing group, whose name is `id` then;
// or "gnomon:local", "gnomon:users", "gnomon:user/NAME" for who needs no certificate. Errors:
// invalid_request.
Reply<Target> parse_target(const Registry& registry, std::string_view target);
// An ARN, or the id of an identity. `group_name` of a group.
[[nodiscard]] std::string to_string(const Registry& registry, const Target& target,
                                    std::string_view group_name = {});

// Makes what parse_target() has returned one that exists: of a group it looks up the id. Whoever
// commits depends on its existence. Errors: resource_not_found.
Reply<Target> find_target(records::Transaction& records, Target target);

}  // namespace gnomon::registry
