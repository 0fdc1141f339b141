#include "provisioning/fleet.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "provisioning/arrivals.h"
#include "provisioning/register_thing.h"
#include "provisioning/template.h"
#include "provisioning/templates.h"
#include "provisioning/waiting.h"
#include "registry/steps.h"

namespace gnomon::provisioning {

using registry::CertificateStatus;
using registry::Change;
using registry::Done;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Registry;
using registry::Reply;

namespace {

Rejection denied(std::string why) { return {403, "AccessDenied", std::move(why)}; }
Rejection bad_token(std::string why) {
  return {400, "InvalidCertificateOwnershipToken", std::move(why)};
}
// The same from within a change.
Failure token_used() {
  return {Kind::certificate_state,
          "The certificate ownership token was used, or its certificate is not there any more."};
}

std::pair<int, const char*> code_of(Kind kind) {
  switch (kind) {
    case Kind::resource_not_found:
      return {404, "ResourceNotFound"};
    case Kind::certificate_state:
      return {400, "InvalidCertificateOwnershipToken"};
    case Kind::resource_registration_failure:
      return {400, "ResourceRegistrationFailure"};
    case Kind::conflicting_resource_update:
      return {409, "ConflictingResourceUpdate"};
    case Kind::limit_exceeded:
      return {429, "LimitExceeded"};
    case Kind::service_unavailable:
      return {503, "ServiceUnavailable"};
    default:
      return {400, "InvalidParameters"};
  }
}

WallTime from_now(const Registry& registry, std::chrono::milliseconds time) {
  return registry.clock.now() + time;
}

Given<OwnCertificate> give(Provisioning& provisioning, const crypto::Certificate& certificate,
                           std::string private_key) {
  Registry& registry = provisioning.registry;
  const WallTime until = from_now(registry, limits::ownership_lifetime);
  auto kept = change(registry, [&](Change& change) -> Reply<Nothing> {
    auto there = keep_issued(change, certificate, CertificateStatus::pending_activation);
    if (!there) return there.error();
    return expect(change, certificate.id(), until, WaitsAs::device);
  });
  if (!kept) return Rejection(kept.error());
  return Done<OwnCertificate>{{certificate.id(), certificate.to_pem(), std::move(private_key),
                               write_token(provisioning, {certificate.id(), until})},
                              kept->sequence,
                              std::move(kept->effects)};
}

// The template, if devices may be provisioned by it now.
Result<TemplateDescription, Rejection> open_template(const Provisioning& provisioning,
                                                     const std::string& name) {
  auto found = describe_template(provisioning, name);
  if (!found) return Rejection(found.error());
  if (found->type != TemplateType::fleet_provisioning)
    return denied("The provisioning template " + name + " is not of type FLEET_PROVISIONING.");
  if (!found->enabled) return denied("The provisioning template " + name + " is not enabled.");
  if (found->pre_provisioning_hook && provisioning.hook == nullptr) {
    return denied("The provisioning template " + name +
                  " names a pre-provisioning hook, and this server has no functions to ask.");
  }
  return std::move(*found);
}

Result<Ownership, Rejection> open_token(const Provisioning& provisioning,
                                        const std::string& token) {
  if (token.empty()) return bad_token("Certificate ownership token cannot be empty.");
  auto ownership = read_token(provisioning, token);
  if (!ownership) return bad_token("The certificate ownership token is none of this server's.");
  if (provisioning.registry.clock.now() > ownership->until)
    return bad_token("The certificate ownership token has expired.");
  return std::move(*ownership);
}

bool is_certificate_id(std::string_view principal) {
  return principal.size() == 64 && std::ranges::all_of(principal, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// What the function behind the template makes of the parameters.
Result<Parameters, Rejection> ask_hook(Provisioning& provisioning, const TemplateDescription& by,
                                       const Provision& request, const std::string& certificate_id,
                                       const Claimant& claimant) {
  Parameters parameters = request.parameters;
  if (!by.pre_provisioning_hook) return parameters;
  const auto certificate = describe_certificate(provisioning.registry, certificate_id);
  if (!certificate) return bad_token(token_used().message);
  const auto answer = provisioning.hook->ask(
      {by.pre_provisioning_hook->target_arn, by.pre_provisioning_hook->payload_version,
       is_certificate_id(claimant.principal) ? claimant.principal : "", certificate_id,
       certificate->certificate_pem, by.template_arn, claimant.client_id, parameters});
  if (!answer) return denied("The pre-provisioning hook failed: " + answer.error().message);
  if (!answer->allow_provisioning) return denied("The pre-provisioning hook does not allow it.");
  for (const auto& [name, value] : answer->parameter_overrides)
    parameters.insert_or_assign(name, value);
  return parameters;
}

// Names that the server gives values to; of JITP also those of the certificate's subject.
const std::string* reserved_name(const Parameters& parameters) {
  const auto found = std::ranges::find_if(
      parameters, [](const auto& one) { return one.first.starts_with("AWS::"); });
  return found == parameters.end() ? nullptr : &found->first;
}

std::string claim_policy_document(const Registry& registry, const std::string& template_name) {
  const auto arns = [&](std::string_view kind) {
    std::string list;
    for (const std::string& what :
         {std::string("certificates/create/*"), std::string("certificates/create-from-csr/*"),
          "provisioning-templates/" + template_name + "/provision/*"}) {
      list +=
          (list.empty() ? "\"" : ",\"") + arn(registry, std::string(kind) + "/$aws/" + what) + '"';
    }
    return '[' + list + ']';
  };
  return R"({"Version":"2012-10-17","Statement":[)"
         R"({"Effect":"Allow","Action":"iot:Connect","Resource":"*"},)"
         R"({"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":)" +
         arns("topic") + R"(},{"Effect":"Allow","Action":"iot:Subscribe","Resource":)" +
         arns("topicfilter") + "}]}";
}

}  // namespace

Rejection::Rejection(const Failure& failure)
    : Rejection(code_of(failure.kind).first, code_of(failure.kind).second, failure.message) {}

Given<OwnCertificate> create_own_keys(Provisioning& provisioning) {
  const auto key = crypto::PrivateKey::generate_rsa_2048();
  const auto made = issue_certificate(provisioning.registry, key.public_key(), "");
  if (!made) return Rejection(Failure(made.error()));
  return give(provisioning, *made, key.to_traditional_pem());
}

Given<OwnCertificate> create_own_certificate(Provisioning& provisioning,
                                             std::string_view request_pem) {
  const auto made = issue_for_request(provisioning.registry, request_pem);
  if (!made) return Rejection(registry::invalid(made.error().message));
  return give(provisioning, *made, "");
}

Given<ProvisionedDevice> provision(Provisioning& provisioning, const Provision& request,
                                   const Claimant& claimant) {
  Registry& registry = provisioning.registry;
  const auto by = open_template(provisioning, request.template_name);
  if (!by) return by.error();
  const auto ownership = open_token(provisioning, request.ownership_token);
  if (!ownership) return ownership.error();
  const std::string& id = ownership->certificate_id;
  if (const std::string* name = reserved_name(request.parameters))
    return Rejection(registry::invalid("The parameter " + *name + " is set by the server."));
  auto parameters = ask_hook(provisioning, *by, request, id, claimant);
  if (!parameters) return parameters.error();
  (*parameters)[certificate_id_parameter] = id;

  const auto read = Template::parse(by->template_body);
  if (!read) return Rejection(registry::invalid(read.error().message));
  const auto plan = read->resolve(with_account(registry, std::move(*parameters)));
  if (!plan) return Rejection(registry::invalid(plan.error().message));
  const auto permitted =
      check_permit(provisioning, by->provisioning_role_arn, by->template_arn, *plan);
  if (!permitted && permitted.error().kind == Kind::resource_registration_failure)
    return denied(permitted.error().message);
  if (!permitted) return Rejection(permitted.error());
  auto done = change(registry, [&](Change& change) -> Reply<ProvisionedDevice> {
    const auto state = find_certificate(change, id);
    if (!state || state->status != CertificateStatus::pending_activation ||
        !claim(change, id, ownership->until))
      return token_used();
    auto made = apply(change, *plan, std::nullopt);
    if (!made) return made.error();
    return ProvisionedDevice{std::move(made->thing_name), plan->device_configuration};
  });
  if (!done) return Rejection(done.error());
  return std::move(*done);
}

registry::Written<ProvisioningClaim> create_provisioning_claim(Provisioning& provisioning,
                                                               const std::string& template_name) {
  Registry& registry = provisioning.registry;
  const auto by = describe_template(provisioning, template_name);
  if (!by) return by.error();
  if (by->type != TemplateType::fleet_provisioning) {
    return registry::invalid("The provisioning template " + template_name +
                             " is not of type FLEET_PROVISIONING.");
  }
  const WallTime until = from_now(registry, limits::claim_lifetime);
  const auto key = crypto::PrivateKey::generate_rsa_2048();
  const auto made = issue_certificate(registry, key.public_key(), "", until);
  if (!made) return Failure(made.error());
  const std::string policy = "gnomon-claim-" + template_name;
  auto done = change(registry, [&](Change& change) -> Reply<Nothing> {
    auto kept = keep_issued(change, *made, CertificateStatus::active, false);
    if (!kept) return kept.error();
    if (!has_policy(change, policy)) {
      auto there =
          create_policy(change, {policy, claim_policy_document(registry, template_name), {}});
      if (!there) return there.error();
    }
    if (auto given = attach_policy(change, policy, kept->certificate_arn); !given) return given;
    return expect(change, made->id(), until, WaitsAs::claim);
  });
  if (!done && done.error().kind == Kind::limit_exceeded)
    return Failure(Kind::service_unavailable, done.error().message);
  if (!done) return done.error();
  return Done<ProvisioningClaim>{{made->id(), made->to_pem(), key.public_key().to_pem(),
                                  key.to_traditional_pem(), made->not_after()},
                                 done->sequence,
                                 std::move(done->effects)};
}

}  // namespace gnomon::provisioning
