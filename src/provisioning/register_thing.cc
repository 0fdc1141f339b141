#include "provisioning/register_thing.h"

#include <algorithm>
#include <utility>

namespace gnomon::provisioning {

using registry::CertificateStatus;
using registry::Change;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Reply;

namespace {

// What the registry has refused, as a failure of this resource. That the store refuses stays so.
Failure failed(const std::string& logical_id, const Failure& why) {
  if (why.kind == Kind::service_unavailable || why.kind == Kind::conflicting_resource_update)
    return why;
  return {Kind::resource_registration_failure, "Resources." + logical_id + ": " + why.message};
}

Failure conflict(const std::string& logical_id, std::string_view setting) {
  return {Kind::conflicting_resource_update, "Resources." + logical_id +
                                                 ": it exists, and OverrideSettings." +
                                                 std::string(setting) + " is FAIL."};
}

// Application: one plan within one change.
class Application {
 public:
  Application(Change& change, const Plan& plan, const std::optional<crypto::Certificate>& issued)
      : change_(change), plan_(plan), issued_(issued) {}

  Reply<RegisteredThing> run() {
    if (plan_.certificate) {
      if (auto made = certificate(*plan_.certificate); !made)
        return failed(plan_.certificate->logical_id, made.error());
    }
    if (plan_.thing) {
      if (auto made = thing(*plan_.thing); !made)
        return failed(plan_.thing->logical_id, made.error());
    }
    for (const PolicyPlan& plan : plan_.policies)
      if (auto made = policy(plan); !made) return failed(plan.logical_id, made.error());
    return std::move(done_);
  }

 private:
  [[nodiscard]] std::string certificate_arn() const {
    return change_.arn("cert/" + certificate_id_);
  }
  void note(const std::string& logical_id, std::string arn) {
    done_.resource_arns[logical_id] = std::move(arn);
  }

  // ---- the certificate

  Reply<Nothing> certificate(const CertificatePlan& plan) {
    const auto wanted = plan.active ? CertificateStatus::active : CertificateStatus::inactive;
    if (auto found = identify(plan, wanted); !found) return found.error();
    const auto state = registry::find_certificate(change_, certificate_id_);
    if (!state)
      return registry::not_found("The certificate " + certificate_id_ + " does not exist.");
    done_.certificate_pem = state->certificate_pem;
    note(plan.logical_id, certificate_arn());
    if (fresh_ || state->status == wanted) {
      const bool refused = !fresh_ && plan.on_status == Override::fail;
      return refused ? Reply<Nothing>(conflict(plan.logical_id, "Status")) : Nothing{};
    }
    if (state->status != CertificateStatus::pending_activation) {
      if (plan.on_status == Override::do_nothing) return Nothing{};
      if (plan.on_status == Override::fail) return conflict(plan.logical_id, "Status");
    }
    return registry::update_certificate(change_, certificate_id_, wanted);
  }

  // Sets the id; registers a certificate that is not there yet.
  Reply<Nothing> identify(const CertificatePlan& plan, CertificateStatus status) {
    if (issued_) {
      certificate_id_ = issued_->id();
      fresh_ = true;
      auto kept = registry::keep_issued(change_, *issued_, status);
      return kept ? Reply<Nothing>(Nothing{}) : kept.error();
    }
    certificate_id_ = plan.certificate_id;
    std::ranges::transform(certificate_id_, certificate_id_.begin(), [](char c) {
      return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (plan.certificate_pem.empty()) return Nothing{};
    const auto given = crypto::Certificate::from_pem(plan.certificate_pem);
    if (!given) return registry::invalid("CertificatePem: " + given.error().message);
    certificate_id_ = given->id();
    if (registry::find_certificate(change_, certificate_id_)) return Nothing{};
    fresh_ = true;
    auto made = registry::register_certificate(
        change_, {plan.certificate_pem, plan.ca_certificate_pem, status});
    return made ? Reply<Nothing>(Nothing{}) : made.error();
  }

  // ---- the thing

  Reply<Nothing> thing(const ThingPlan& plan) {
    done_.thing_name = plan.thing_name;
    note(plan.logical_id, change_.arn("thing/" + plan.thing_name));
    const auto there = registry::find_thing(change_, plan.thing_name);
    auto done = there ? update(plan, *there) : create(plan);
    if (!done || !plan_.certificate) return done;
    return registry::attach_thing_principal(change_, {plan.thing_name, certificate_arn()});
  }

  Reply<Nothing> create(const ThingPlan& plan) {
    registry::CreateThing request{plan.thing_name, plan.thing_type_name, {}, plan.billing_group};
    if (plan.attributes) request.attribute_payload = {*plan.attributes, false};
    if (auto made = registry::create_thing(change_, request); !made) return made.error();
    return join(plan, {});
  }

  Reply<Nothing> update(const ThingPlan& plan, const registry::ThingState& there) {
    const bool typed = !plan.thing_type_name.empty();
    if (typed && plan.on_type == Override::fail) return conflict(plan.logical_id, "ThingTypeName");
    if (plan.attributes && plan.on_attributes == Override::fail)
      return conflict(plan.logical_id, "AttributePayload");
    if (plan.thing_groups && plan.on_groups == Override::fail)
      return conflict(plan.logical_id, "ThingGroups");

    registry::UpdateThing request{plan.thing_name, "", {}, {}, false};
    if (typed && plan.on_type == Override::replace) request.thing_type_name = plan.thing_type_name;
    if (plan.attributes && plan.on_attributes != Override::do_nothing)
      request.attribute_payload = {*plan.attributes, plan.on_attributes == Override::merge};
    if (!request.thing_type_name.empty() || request.attribute_payload) {
      if (auto made = registry::update_thing(change_, request); !made) return made;
    }
    if (plan.on_groups == Override::do_nothing) return Nothing{};
    Texts out;
    if (plan.on_groups == Override::replace && plan.thing_groups) {
      std::ranges::copy_if(there.thing_groups, std::back_inserter(out), [&](const auto& group) {
        return std::ranges::find(*plan.thing_groups, group) == plan.thing_groups->end();
      });
    }
    return join(plan, std::move(out));
  }

  Reply<Nothing> join(const ThingPlan& plan, Texts out) {
    if (!plan.thing_groups) return Nothing{};
    return registry::update_thing_groups_for_thing(
        change_, {plan.thing_name, *plan.thing_groups, std::move(out)});
  }

  // ---- policies

  Reply<Nothing> policy(const PolicyPlan& plan) {
    if (!plan.policy_document.empty() && !registry::has_policy(change_, plan.policy_name)) {
      auto made = registry::create_policy(change_, {plan.policy_name, plan.policy_document, {}});
      if (!made) return made.error();
    }
    note(plan.logical_id, change_.arn("policy/" + plan.policy_name));
    return registry::attach_policy(change_, plan.policy_name, certificate_arn());
  }

  Change& change_;
  const Plan& plan_;
  const std::optional<crypto::Certificate>& issued_;
  std::string certificate_id_;
  bool fresh_ = false;  // the certificate is registered by this
  RegisteredThing done_;
};

}  // namespace

Parameters with_account(const registry::Registry& registry, Parameters parameters) {
  parameters["AWS::Region"] = registry.region;
  parameters["AWS::AccountId"] = registry.account;
  return parameters;
}

Reply<RegisteredThing> apply(Change& change, const Plan& plan,
                             const std::optional<crypto::Certificate>& issued) {
  return Application(change, plan, issued).run();
}

Reply<Plan> plan_of(const Provisioning& provisioning, std::string_view template_body,
                    const Parameters& parameters) {
  const auto body = Template::parse(template_body);
  if (!body) return registry::invalid(body.error().message);
  auto plan = body->resolve(with_account(provisioning.registry, parameters));
  if (!plan) return registry::invalid(plan.error().message);
  return *std::move(plan);
}

std::vector<Need> needs_of(const registry::Registry& registry, const Plan& plan) {
  std::vector<Need> needs;
  const auto add = [&](const char* action, const std::string& resource) {
    needs.push_back({action, resource == "*" ? resource : registry::arn(registry, resource)});
  };
  std::string certificate = "cert/*";
  if (plan.certificate) {
    const CertificatePlan& wanted = *plan.certificate;
    if (!wanted.certificate_id.empty()) certificate = "cert/" + wanted.certificate_id;
    if (!wanted.request_pem.empty()) {
      add("iot:CreateCertificateFromCsr", "*");
    } else if (!wanted.certificate_pem.empty()) {
      add("iot:RegisterCertificate", "*");
    }
    add("iot:UpdateCertificate", certificate);
  }
  if (plan.thing) {
    const ThingPlan& thing = *plan.thing;
    const std::string name = "thing/" + thing.thing_name;
    add("iot:CreateThing", name);
    add("iot:UpdateThing", name);
    if (!thing.billing_group.empty()) add("iot:CreateThing", "billinggroup/" + thing.billing_group);
    if (thing.thing_groups) {
      add("iot:AddThingToThingGroup", name);
      for (const std::string& group : *thing.thing_groups)
        add("iot:AddThingToThingGroup", "thinggroup/" + group);
      if (thing.on_groups == Override::replace) add("iot:RemoveThingFromThingGroup", name);
    }
    if (plan.certificate) add("iot:AttachThingPrincipal", certificate);
  }
  for (const PolicyPlan& policy : plan.policies) {
    if (!policy.policy_document.empty()) add("iot:CreatePolicy", "policy/" + policy.policy_name);
    add("iot:AttachPolicy", certificate);
  }
  return needs;
}

Reply<Nothing> check_permit(const Provisioning& provisioning, const std::string& role_arn,
                            const std::string& source, const Plan& plan) {
  const auto permit = provisioning.roles.take(role_arn, source);
  if (!permit) {
    const bool trouble = permit.error().code == Code::unavailable;
    return Failure(trouble ? Kind::service_unavailable : Kind::resource_registration_failure,
                   permit.error().message);
  }
  for (const auto& [action, resource] : needs_of(provisioning.registry, plan)) {
    if ((*permit)(action, resource)) continue;
    return Failure(Kind::resource_registration_failure,
                   "The role " + role_arn + " may not " + action + " on " + resource + '.');
  }
  return Nothing{};
}

registry::Written<RegisteredThing> register_thing(Provisioning& provisioning, const Plan& plan) {
  registry::Registry& registry = provisioning.registry;
  std::optional<crypto::Certificate> issued;
  if (plan.certificate && !plan.certificate->request_pem.empty()) {
    auto made = registry::issue_for_request(registry, plan.certificate->request_pem);
    if (!made) return failed(plan.certificate->logical_id, registry::invalid(made.error().message));
    issued = std::move(*made);
  } else if (plan.certificate && plan.certificate->certificate_id.empty() &&
             plan.certificate->certificate_pem.empty()) {
    return registry::invalid("Resources." + plan.certificate->logical_id +
                             ": the certificate or request is empty.");
  }
  return registry::change(registry, [&](Change& change) { return apply(change, plan, issued); });
}

}  // namespace gnomon::provisioning
