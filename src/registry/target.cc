#include "registry/target.h"

#include <algorithm>

#include "base/limits.h"
#include "registry/change.h"
#include "registry/stored.h"
#include "registry/tables.h"

namespace gnomon::registry {

namespace {

constexpr std::string_view certificate_kind = "cert/", group_kind = "thinggroup/";
constexpr std::size_t certificate_id_size = 64;

bool is_certificate_id(std::string_view id) {
  return id.size() == certificate_id_size && std::ranges::all_of(id, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// "us-east-1:" and a UUID (Cognito: [\w-]+:[0-9a-f-]+, at most 55 characters).
bool is_identity_id(std::string_view id) {
  const auto colon = id.find(':');
  if (colon == std::string_view::npos || colon == 0 || id.size() > 55) return false;
  const auto word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  const auto digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
  };
  const std::string_view behind = id.substr(colon + 1);
  return !behind.empty() && std::ranges::all_of(id.substr(0, colon), word) &&
         std::ranges::all_of(behind, digit);
}

// Those that need no certificate: "gnomon:local", "gnomon:users", "gnomon:user/NAME".
bool is_built_in(std::string_view id) {
  constexpr std::string_view user = "gnomon:user/";
  if (id.starts_with(user))
    return id.size() > user.size() && id.size() <= user.size() + limits::user_target_bytes_max;
  return id == "gnomon:local" || id == "gnomon:users";
}

}  // namespace

bool Target::is_principal() const { return kind != Kind::group && !is_built_in(id); }

std::string Target::text() const {
  constexpr std::string_view letters = "cig";
  return letters[static_cast<std::size_t>(kind)] + id;
}

Target target_of(std::string_view text) {
  Target target;
  if (text.empty()) return target;
  if (text[0] == 'i') target.kind = Target::Kind::identity;
  if (text[0] == 'g') target.kind = Target::Kind::group;
  target.id = text.substr(1);
  return target;
}

Target target_with_id(std::string_view principal_id) {
  const bool identity = principal_id.find(':') != std::string_view::npos;
  return {identity ? Target::Kind::identity : Target::Kind::certificate, std::string(principal_id)};
}

Reply<Target> principal_of(const Registry& registry, std::string_view principal) {
  if (is_identity_id(principal)) return Target{Target::Kind::identity, std::string(principal)};
  const std::string_view resource = resource_of(registry, principal);
  if (resource.starts_with(certificate_kind)) {
    const std::string_view id = resource.substr(certificate_kind.size());
    if (is_certificate_id(id)) return Target{Target::Kind::certificate, std::string(id)};
  }
  return invalid("Invalid principal: " + std::string(principal) +
                 " (expected the ARN of a certificate of this account, or a Cognito identity id)");
}

Reply<Target> parse_target(const Registry& registry, std::string_view target) {
  if (is_built_in(target)) return Target{Target::Kind::identity, std::string(target)};
  const std::string_view resource = resource_of(registry, target);
  if (resource.starts_with(group_kind) && resource.size() > group_kind.size())
    return Target{Target::Kind::group, std::string(resource.substr(group_kind.size()))};
  auto principal = principal_of(registry, target);
  if (principal) return principal;
  return invalid("Invalid target: " + std::string(target) +
                 " (expected the ARN of a certificate or thing group of this account, a Cognito "
                 "identity id, or gnomon:local, gnomon:users, gnomon:user/NAME)");
}

std::string to_string(const Registry& registry, const Target& target, std::string_view group_name) {
  switch (target.kind) {
    case Target::Kind::certificate:
      return arn(registry, std::string(certificate_kind) + target.id);
    case Target::Kind::group:
      return arn(registry, std::string(group_kind).append(group_name));
    case Target::Kind::identity:
      break;
  }
  return target.id;
}

Reply<Target> find_target(records::Transaction& records, Target target) {
  if (target.kind == Target::Kind::certificate) {
    if (records.absent(key(Table::certificate, target.id)))
      return not_found("The certificate " + target.id + " does not exist.");
  } else if (target.kind == Target::Kind::group) {
    const auto group = load<stored::Group>(records, key(Table::group, target.id));
    if (!group) return not_found("Thing group " + target.id + " does not exist.");
    target.id = group->id;
  }
  return target;
}

}  // namespace gnomon::registry
