#include "identity/devices.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json_text.h"
#include "base/limits.h"
#include "identity/first_start.h"
#include "identity/variables.h"
#include "policy/explain.h"
#include "registry/attachments.h"
#include "registry/authorities.h"
#include "registry/principals.h"
#include "registry/things.h"

namespace gnomon::identity {

using policy::PolicySet;
using policy::Source;
using policy::Variables;
using registry::CertificateStatus;
using registry::EffectivePolicy;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Registry;
using registry::Reply;

namespace {

Denial trouble(const Failure& failure) {
  return {"the registry cannot be read: " + failure.message, false, true};
}
Denial denied(const std::string& certificate_id, std::string_view what) {
  return {"the certificate " + certificate_id + ' ' + std::string(what)};
}

// Adds the policies, each by its name once. Errors: service_unavailable (also one that cannot be
// read: what it denies is not known).
Reply<Nothing> add(std::vector<Source>& sources, const std::vector<EffectivePolicy>& policies) {
  for (const EffectivePolicy& policy : policies) {
    const std::string name = policy.policy_name + ':' + std::to_string(policy.version);
    if (std::ranges::find(sources, name, &Source::name) != sources.end()) continue;
    auto document = policy::parse(policy.policy_document, policy::Dialect::iot);
    if (!document) {
      return Failure(Kind::service_unavailable,
                     "the policy " + name + " is damaged: " + document.error().message);
    }
    sources.push_back(
        {name, policy.via, std::make_shared<const policy::Document>(std::move(*document))});
  }
  return Nothing{};
}

Variables variables_of(const Arrival& arrival) {
  Variables variables;
  variables.set("iot:ClientId", arrival.client_id);
  variables.set("aws:SourceIp", arrival.address);
  return variables;
}

// The thing that a principal connects as: the one that it is exclusively attached to, else the one
// of the client id's name; "" if that is none.
Reply<std::string> thing_of(const Registry& registry, const std::string& principal,
                            const std::string& client_id) {
  const auto exclusive = registry::list_principal_things(
      registry, principal, registry::ThingPrincipalType::exclusive_thing, {1, ""});
  if (!exclusive) return exclusive.error();
  if (!exclusive->items.empty()) return exclusive->items.front().thing_name;
  return client_id;
}

struct Thing {
  std::string name;  // empty: there is none
  bool attached = false;
};

// Finds the thing, and sets iot:Connection.Thing.*. Of a thing that the principal is not attached
// to nothing is told: whoever may choose a client id would borrow its attributes, and its changes
// touch only those that are attached.
Reply<Thing> set_thing(const Registry& registry, const std::string& principal,
                       const std::string& principal_id, const Arrival& arrival,
                       Variables& variables) {
  constexpr std::string_view prefix = "iot:Connection.Thing.";
  const auto set = [&](const std::string& key, std::string_view value) {
    variables.set(std::string(prefix) + key, value);
  };
  set("IsAttached", "false");
  const auto name = thing_of(registry, principal, arrival.client_id);
  if (!name) return name.error();
  const auto thing = registry::describe_thing(registry, *name);
  if (!thing && thing.error().kind == Kind::resource_not_found) return Thing{};
  if (!thing) return thing.error();
  const auto attached = registry::is_attached(registry, *name, principal_id);
  if (!attached) return attached.error();
  if (!*attached) return Thing{*name, false};
  set("IsAttached", "true");
  set("ThingName", *name);
  if (!thing->thing_type_name.empty()) set("ThingTypeName", thing->thing_type_name);
  for (const auto& [key, value] : thing->attributes) set("Attributes[" + key + ']', value);
  return Thing{*name, true};
}

Admission compiled(Admission admission, std::vector<Source> sources, Variables variables) {
  auto policies = std::make_shared<const PolicySet>(PolicySet::compile(
      std::move(sources), std::make_shared<const Variables>(std::move(variables))));
  if (!policies->allows_everything("iot")) admission.policies = std::move(policies);
  return admission;
}

}  // namespace

std::string Devices::arn(const std::string& certificate_id) const {
  return registry::arn(setup_.registry, "cert/" + certificate_id);
}

// ---- who it is

Outcome Devices::admit(const crypto::Certificate& certificate,
                       std::span<const crypto::Certificate> own, const Arrival& arrival) {
  const Registry& registry = setup_.registry;
  const std::string& id = certificate.id();
  if (auto now = certificate.check_time(setup_.shown.now()); !now)
    return Denial{now.error().message};
  const auto known = registry::status_of(registry, id);
  if (!known) return trouble(known.error());
  if (*known && setup_.offline.is_left(id)) settle(id);
  const Status status = *known ? Status(**known) : meet(certificate, own);
  if (const auto* denial = std::get_if<Denial>(&status)) return *denial;
  const auto is = std::get<CertificateStatus>(status);
  if (is == CertificateStatus::pending_activation && *known) {
    if (auto denial = provision_pending(certificate)) return *denial;
    announce_pending(id, 0, {});
  }
  if (is != CertificateStatus::active)
    return denied(id, "is " + std::string(registry::to_string(is)));

  Variables variables = variables_of(arrival);
  set_certificate(variables, certificate);
  const auto thing = set_thing(registry, arn(id), id, arrival, variables);
  if (!thing) return trouble(thing.error());
  const auto policies =
      registry::get_effective_policies(registry, arn(id), thing->attached ? thing->name : "");
  if (!policies) return trouble(policies.error());
  std::vector<Source> sources;
  if (auto added = add(sources, *policies); !added) return trouble(added.error());
  return compiled({id, nullptr, certificate.not_before(), certificate.not_after()},
                  std::move(sources), std::move(variables));
}

Outcome Devices::admit(const std::string& principal, const Arrival& arrival) {
  std::vector<std::string> targets{"gnomon:" + principal};
  const bool user = principal.starts_with("user/");
  if (user && principal.size() > 5 + limits::user_target_bytes_max) targets.clear();
  if (user) targets.emplace_back("gnomon:users");
  std::vector<Source> sources;
  for (const std::string& target : targets) {
    const auto policies = registry::get_effective_policies(setup_.registry, target, "");
    if (!policies) return trouble(policies.error());
    if (auto added = add(sources, *policies); !added) return trouble(added.error());
  }
  Variables variables = variables_of(arrival);
  variables.set("iot:Connection.Thing.IsAttached", "false");
  Admission admission = compiled({principal, nullptr}, std::move(sources), std::move(variables));
  admission.anywhere = !admission.policies;
  return admission;
}

// ---- certificates that nobody knows

Devices::Status Devices::meet(const crypto::Certificate& certificate,
                              std::span<const crypto::Certificate> own) {
  if (setup_.offline.is_left(certificate.id())) return register_left(certificate, own);
  return register_arrival(certificate);
}

Devices::Status Devices::register_left(const crypto::Certificate& certificate,
                                       std::span<const crypto::Certificate> own) {
  const std::string& id = certificate.id();
  const auto verified =
      crypto::verify(certificate, {{}, own, crypto::Purpose::tls_client, setup_.shown.now(), ""});
  if (!verified) return Denial{verified.error().message};
  const auto done =
      registry::register_issued(setup_.registry, certificate, CertificateStatus::active);
  // Another connection of it may have come first.
  if (!done && done.error().kind != Kind::resource_already_exists) return trouble(done.error());
  if (const auto finished = finish(id); !finished) return trouble(finished.error());
  if (done) log_info("certificate_registered", {{"certificate", id}, {"as", "made offline"}});
  const auto status = registry::status_of(setup_.registry, id);
  if (!status) return trouble(status.error());
  if (!*status) return denied(id, "is not registered");
  return **status;
}

Reply<Nothing> Devices::finish(const std::string& certificate_id) {
  const auto given = registry::attach_policy(setup_.registry, devices_policy, arn(certificate_id));
  // A policy that was deleted, or a certificate that is gone by now, is so on purpose.
  if (!given && given.error().kind != Kind::resource_not_found) return given.error();
  const store::Sequence sequence = given ? given->sequence : setup_.registry.store.applied();
  setup_.changed({sequence, {}, [this, certificate_id] { setup_.offline.take(certificate_id); }});
  return Nothing{};
}

void Devices::settle(const std::string& certificate_id) {
  const auto known = registry::status_of(setup_.registry, certificate_id);
  if (!known || !*known) return;
  if (const auto finished = finish(certificate_id); !finished) {
    log_warn("certificate_not_settled",
             {{"certificate", certificate_id}, {"what", finished.error().message}});
  }
}

Devices::Status Devices::register_arrival(const crypto::Certificate& certificate) {
  const std::string& id = certificate.id();
  const auto issuers = registry::issuers_of(setup_.registry, certificate);
  if (!issuers) return trouble(issuers.error());
  if (auto denial = provision(certificate, *issuers)) return *denial;
  for (const auto& issuer : *issuers) {
    if (!issuer.active || !issuer.auto_registration) continue;
    auto done = registry::register_arrival(setup_.registry, certificate, issuer.certificate_id);
    if (!done && done.error().kind == Kind::service_unavailable) return trouble(done.error());
    if (!done) continue;  // the CA is another one by now
    log_info("certificate_registered", {{"certificate", id}, {"as", "PENDING_ACTIVATION"}});
    announce_pending(id, done->sequence, std::move(done->effects));
    return CertificateStatus::pending_activation;
  }
  return denied(id, issuers->empty() ? "is not registered"
                                     : "is not registered, and its CA does not do so by itself");
}

// AWS IoT: "Just-in-time provisioning". The first connection is dropped, as there.
std::optional<Denial> Devices::provision(
    const crypto::Certificate& certificate,
    std::span<const registry::CaCertificateDescription> issuers) {
  if (!setup_.provision) return std::nullopt;
  const auto with_template = [](const registry::CaCertificateDescription& issuer) {
    return issuer.active && issuer.auto_registration && issuer.registration_config;
  };
  const auto issuer = std::ranges::find_if(issuers, with_template);
  if (issuer == issuers.end()) return std::nullopt;
  auto done = setup_.provision(certificate, *issuer);
  if (done) {
    log_info("certificate_provisioned", {{"certificate", certificate.id()}});
    setup_.changed({done->sequence, std::move(done->effects), {}});
    return denied(certificate.id(), "was provisioned just now: connect again");
  }
  if (done.error().kind == Kind::service_unavailable) return trouble(done.error());
  if (limiter_.with([&](auto& limiter) { return limiter.allow(setup_.clock.now()); })) {
    log_warn("certificate_not_provisioned",
             {{"certificate", certificate.id()}, {"what", done.error().message}});
  }
  return std::nullopt;
}

std::optional<Denial> Devices::provision_pending(const crypto::Certificate& certificate) {
  if (!setup_.provision) return std::nullopt;
  const auto described = registry::describe_certificate(setup_.registry, certificate.id());
  if (!described || described->ca_certificate_id.empty()) return std::nullopt;
  const auto ca = registry::describe_ca_certificate(setup_.registry, described->ca_certificate_id);
  if (!ca) return std::nullopt;
  return provision(certificate, {&*ca, 1});
}

// AWS IoT: "Just-in-time registration".
void Devices::announce_pending(const std::string& certificate_id, store::Sequence sequence,
                               registry::Effects effects) {
  const Registry& registry = setup_.registry;
  const auto certificate = registry::describe_certificate(registry, certificate_id);
  if (!certificate || certificate->ca_certificate_id.empty()) return;
  const std::string& ca = certificate->ca_certificate_id;
  effects.events.push_back(
      {"$aws/events/certificates/registered/" + ca,
       "{\"certificateId\":" + json_text(certificate_id) + ",\"caCertificateId\":" + json_text(ca) +
           ",\"timestamp\":" + std::to_string(registry.clock.now().ms) +
           ",\"certificateStatus\":\"PENDING_ACTIVATION\",\"awsAccountId\":" +
           json_text(registry.account) + ",\"certificateRegistrationTimestamp\":\"" +
           std::to_string(certificate->creation_date.ms) + "\"}"});
  setup_.changed({sequence, std::move(effects), {}});
}

// ---- what it may do

std::optional<Denial> Devices::connect(const Admission& admission, const Arrival& arrival) {
  if (!admission.policies) return std::nullopt;
  std::array<std::string_view, 2> attributes;
  std::size_t asked = 0;
  if (arrival.persistent) attributes[asked++] = "PersistentConnect";
  if (arrival.last_will) attributes[asked++] = "LastWill";
  const std::array<std::string_view, 1> host{arrival.host};
  const std::array keys{
      policy::KeyValues{"iot:ConnectAttributes", std::span(attributes).first(asked)},
      policy::KeyValues{"iot:DomainName", std::span(host).first(arrival.host.empty() ? 0 : 1)}};
  const std::string resource = registry::arn(setup_.registry, "client/" + arrival.client_id);
  const policy::Request request{"iot:Connect", resource, keys, setup_.shown.now(), {}};
  if (admission.policies->check(request) == policy::Verdict::allowed) return std::nullopt;
  const policy::Groups groups{.identity = admission.policies.get()};
  Decision decision{setup_.registry.random.hex(12),
                    setup_.shown.now(),
                    admission.principal,
                    arrival.client_id,
                    std::string(request.action),
                    resource,
                    policy::to_text(policy::explain(groups, request))};
  if (limiter_.with([&](auto& limiter) { return limiter.allow(setup_.clock.now()); })) {
    log_info("connect_denied", {{"decision", decision.id},
                                {"principal", decision.principal},
                                {"what", decision.explanation}});
  }
  Denial denial{"its policies do not allow iot:Connect (decision " + decision.id + ')', true};
  decisions_.note(std::move(decision));
  return denial;
}

}  // namespace gnomon::identity
