#include "identity/devices.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/json_text.h"
#include "base/limits.h"
#include "identity/first_start.h"
#include "policy/explain.h"
#include "registry/attachments.h"
#include "registry/authorities.h"
#include "registry/folder.h"
#include "registry/steps.h"

namespace gnomon::identity {

using policy::PolicySet;
using registry::CertificateStatus;
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

// What is noted of a certificate that was left, for good: whatever becomes of its file and of
// itself, it is not registered by this a second time.
std::string made_of(const std::string& certificate_id) { return "device/" + certificate_id; }

// With its policy, in one. False: that was done before.
Reply<bool> register_once(registry::Change& change, const crypto::Certificate& certificate) {
  const std::string made = made_of(certificate.id());
  if (registry::was_made(change, made)) return false;
  const auto kept = registry::keep_issued(change, certificate, CertificateStatus::active);
  if (!kept) return kept.error();
  // A policy that was deleted is so on purpose.
  if (registry::has_policy(change, devices_policy)) {
    auto given =
        registry::attach_policy(change, devices_policy, change.arn("cert/" + certificate.id()));
    if (!given) return given.error();
  }
  registry::note_made(change, made);
  return true;
}

Admission compiled(Admission admission, Standing standing) {
  auto policies = std::make_shared<const PolicySet>(std::move(standing).compile());
  if (!policies->allows_everything("iot")) admission.policies = std::move(policies);
  return admission;
}

}  // namespace

// ---- who it is

Outcome Devices::admit(const crypto::Certificate& certificate,
                       std::span<const crypto::Certificate> own, const Arrival& arrival) {
  const Registry& registry = setup_.registry;
  const std::string& id = certificate.id();
  if (auto now = certificate.check_time(setup_.shown.now()); !now)
    return Denial{now.error().message};
  // Whoever has registered it: a server's certificate makes nobody a device.
  if (auto use = certificate.check_purpose(crypto::Purpose::tls_client); !use)
    return Denial{use.error().message};
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

  auto standing = standing_of(registry, documents_, certificate, arrival);
  if (!standing) return trouble(standing.error());
  return compiled({id, nullptr, certificate.not_before(), certificate.not_after()},
                  std::move(*standing));
}

Outcome Devices::admit(const std::string& principal, const Arrival& arrival) {
  auto standing = standing_of(setup_.registry, documents_, principal, arrival);
  if (!standing) return trouble(standing.error());
  Admission admission = compiled({principal, nullptr}, std::move(*standing));
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
  const auto done = registry::change(setup_.registry, [&](registry::Change& change) {
    return register_once(change, certificate);
  });
  // Another connection of it may have come first.
  if (!done && done.error().kind != Kind::resource_already_exists) return trouble(done.error());
  if (done && done->value)
    log_info("certificate_registered", {{"certificate", id}, {"as", "made offline"}});
  take(id, done ? done->sequence : setup_.registry.store.applied());
  const auto status = registry::status_of(setup_.registry, id);
  if (!status) return trouble(status.error());
  if (!*status) return denied(id, "is not registered any more");
  return **status;
}

void Devices::take(const std::string& certificate_id, store::Sequence sequence) {
  setup_.changed({sequence, {}, [this, certificate_id] { setup_.offline.take(certificate_id); }});
}

void Devices::settle(const std::string& certificate_id) {
  const auto known = registry::status_of(setup_.registry, certificate_id);
  const auto made = registry::was_made(setup_.registry, made_of(certificate_id));
  if ((known && *known) || (made && *made)) take(certificate_id, setup_.registry.store.applied());
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
  return ask(admission, arrival, "connect_denied",
             {"iot:Connect", resource, keys, setup_.shown.now(), {}});
}

std::optional<Denial> Devices::ask(const Admission& admission, const Arrival& arrival,
                                   std::string_view event, const policy::Request& request) {
  if (!admission.policies) return std::nullopt;
  if (admission.policies->check(request) == policy::Verdict::allowed) return std::nullopt;
  const policy::Groups groups{.identity = admission.policies.get()};
  Decision decision{setup_.registry.random.hex(12), setup_.shown.now(), admission.principal,
                    arrival.client_id, policy::explain(groups, request)};
  if (limiter_.with([&](auto& limiter) { return limiter.allow(setup_.clock.now()); })) {
    log_info(event, {{"decision", decision.id},
                     {"principal", decision.principal},
                     {"what", policy::to_text(decision.explanation)}});
  }
  Denial denial{"its policies do not allow " + std::string(request.action) + " (decision " +
                    decision.id + ')',
                true};
  decisions_.note(std::move(decision));
  return denial;
}

}  // namespace gnomon::identity
