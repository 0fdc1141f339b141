#include "identity/standing.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "identity/variables.h"
#include "registry/attachments.h"
#include "registry/certificates.h"
#include "registry/policies.h"
#include "registry/principals.h"
#include "registry/things.h"

namespace gnomon::identity {

using policy::Source;
using policy::Variables;
using registry::EffectivePolicy;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Registry;
using registry::Reply;

namespace {

// Adds the policies, each by its name once.
Reply<Nothing> add(std::vector<Source>& sources, const std::vector<EffectivePolicy>& policies,
                   Documents& documents) {
  for (const EffectivePolicy& policy : policies) {
    std::string name = policy.policy_name + ':' + std::to_string(policy.version);
    if (std::ranges::find(sources, name, &Source::name) != sources.end()) continue;
    auto document = documents.read(policy.policy_document);
    if (!document) {
      return Failure(Kind::service_unavailable,
                     "the policy " + name + " is damaged: " + document.error().message);
    }
    sources.push_back({std::move(name), policy.via, std::move(*document)});
  }
  return Nothing{};
}

// Those that hold for a target and, if it is named, a thing.
Reply<Nothing> add_effective(Standing& standing, const Registry& registry, Documents& documents,
                             std::string_view target, const std::string& thing) {
  const auto policies = registry::get_effective_policies(registry, target, thing);
  if (!policies) return policies.error();
  return add(standing.sources, *policies, documents);
}

Variables variables_of(const Arrival& arrival) {
  Variables variables;
  if (!arrival.client_id.empty()) variables.set("iot:ClientId", arrival.client_id);
  if (!arrival.address.empty()) variables.set("aws:SourceIp", arrival.address);
  return variables;
}

constexpr std::string_view thing_prefix = "iot:Connection.Thing.";

void set_of_thing(Variables& variables, const std::string& key, std::string_view value) {
  variables.set(std::string(thing_prefix) + key, value);
}

// The thing that a principal connects as: the one that it is exclusively attached to, else the one
// of the client id's name; "" if that is none.
Reply<std::string> thing_of(const Registry& registry, std::string_view principal,
                            const std::string& client_id) {
  const auto exclusive = registry::list_principal_things(
      registry, principal, registry::ThingPrincipalType::exclusive_thing, {1, ""});
  if (!exclusive) return exclusive.error();
  if (!exclusive->items.empty()) return exclusive->items.front().thing_name;
  return client_id;
}

// Finds the thing, sets iot:Connection.Thing.*, and returns its name; "": none. Of a thing that the
// principal is not attached to nothing is told: whoever may choose a client id would borrow its
// attributes, and its changes touch only those that are attached.
Reply<std::string> set_thing(const Registry& registry, std::string_view principal,
                             std::string_view principal_id, const std::string& client_id,
                             Variables& variables) {
  set_of_thing(variables, "IsAttached", "false");
  auto name = thing_of(registry, principal, client_id);
  if (!name) return name.error();
  if (name->empty()) return std::string();
  const auto thing = registry::describe_thing(registry, *name);
  if (!thing && thing.error().kind == Kind::resource_not_found) return std::string();
  if (!thing) return thing.error();
  const auto attached = registry::is_attached(registry, *name, principal_id);
  if (!attached) return attached.error();
  if (!*attached) return std::string();
  set_of_thing(variables, "IsAttached", "true");
  set_of_thing(variables, "ThingName", *name);
  if (!thing->thing_type_name.empty())
    set_of_thing(variables, "ThingTypeName", thing->thing_type_name);
  for (const auto& [key, value] : thing->attributes)
    set_of_thing(variables, "Attributes[" + key + ']', value);
  return name;
}

// Whoever may be attached to things.
Reply<Standing> standing_with_thing(const Registry& registry, Documents& documents,
                                    std::string_view principal, std::string_view principal_id,
                                    const std::string& client_id, Variables variables) {
  Standing standing{{}, std::move(variables)};
  const auto thing = set_thing(registry, principal, principal_id, client_id, standing.variables);
  if (!thing) return thing.error();
  if (auto done = add_effective(standing, registry, documents, principal, *thing); !done)
    return done.error();
  return standing;
}

Reply<Standing> standing_of_target(const Registry& registry, Documents& documents,
                                   const Supposition& supposition) {
  constexpr std::string_view own = "gnomon:";
  const std::string_view target = supposition.target;
  const Arrival arrival{supposition.client_id};
  if (target.empty()) return Standing{{}, variables_of(arrival)};
  if (registry::check_principal(registry, target)) {
    Variables variables = variables_of(arrival);
    std::string_view id = target;
    if (const auto cert = target.rfind(":cert/"); cert != std::string_view::npos) {
      id = target.substr(cert + 6);
      const auto described = registry::describe_certificate(registry, id);
      if (!described) return described.error();
      const auto certificate = crypto::Certificate::from_pem(described->certificate_pem);
      if (!certificate) return Failure(Kind::service_unavailable, certificate.error().message);
      set_certificate(variables, *certificate);
    }
    return standing_with_thing(registry, documents, target, id, supposition.client_id,
                               std::move(variables));
  }
  if (target.starts_with("gnomon:user/") || target == "gnomon:local")
    return standing_of(registry, documents, target.substr(own.size()), arrival);
  Standing standing{{}, variables_of(arrival)};  // a group, or all users
  if (auto done = add_effective(standing, registry, documents, target, ""); !done)
    return done.error();
  return standing;
}

}  // namespace

policy::PolicySet Standing::compile() && {
  return policy::PolicySet::compile(std::move(sources),
                                    std::make_shared<const Variables>(std::move(variables)));
}

Reply<Standing> standing_of(const Registry& registry, Documents& documents,
                            const crypto::Certificate& certificate, const Arrival& arrival) {
  Variables variables = variables_of(arrival);
  set_certificate(variables, certificate);
  return standing_with_thing(registry, documents,
                             registry::arn(registry, "cert/" + certificate.id()), certificate.id(),
                             arrival.client_id, std::move(variables));
}

Reply<Standing> standing_of(const Registry& registry, Documents& documents,
                            std::string_view principal, const Arrival& arrival) {
  constexpr std::string_view user_prefix = "user/";
  const bool user = principal.starts_with(user_prefix);
  Standing standing{{}, variables_of(arrival)};
  set_of_thing(standing.variables, "IsAttached", "false");
  std::vector<std::string> targets{"gnomon:" + std::string(principal)};
  if (user && principal.size() > user_prefix.size() + limits::user_target_bytes_max)
    targets.clear();
  if (user) targets.emplace_back("gnomon:users");
  for (const std::string& target : targets) {
    if (auto done = add_effective(standing, registry, documents, target, ""); !done)
      return done.error();
  }
  return standing;
}

Reply<Standing> suppose(const Registry& registry, Documents& documents,
                        const Supposition& supposition) {
  auto standing = standing_of_target(registry, documents, supposition);
  if (!standing) return standing;
  std::erase_if(standing->sources, [&](const Source& source) {
    const std::string name = source.name.substr(0, source.name.rfind(':'));
    return std::ranges::find(supposition.policies_to_skip, name) !=
           supposition.policies_to_skip.end();
  });
  for (const std::string& name : supposition.policies_to_add) {
    const auto policy = registry::get_policy(registry, name);
    if (!policy) return policy.error();
    const EffectivePolicy as_attached{name, policy->policy_arn, policy->policy_document,
                                      policy->default_version, "added"};
    if (auto done = add(standing->sources, {as_attached}, documents); !done) return done.error();
  }
  for (const auto& [key, values] : supposition.known.entries())
    standing->variables.set(key, values);
  return standing;
}

}  // namespace gnomon::identity
