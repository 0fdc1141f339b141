#include "provisioning/arrivals.h"

#include <array>
#include <utility>

#include "provisioning/register_thing.h"
#include "provisioning/templates.h"

namespace gnomon::provisioning {

using registry::CertificateStatus;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Reply;

namespace {

// What is to be done for those who arrive, and by which role.
struct Order {
  std::string template_body, role_arn, source;
};

Reply<Order> order_of(const Provisioning& provisioning,
                      const registry::CaCertificateDescription& ca) {
  const auto config = ca.registration_config.value_or(registry::RegistrationConfig{});
  if (config.template_name.empty())
    return Order{config.template_body, config.role_arn, ca.certificate_arn};
  auto found = describe_template(provisioning, config.template_name);
  if (!found) return found.error();
  if (!found->enabled || found->type != TemplateType::jitp) {
    return registry::invalid("The provisioning template " + config.template_name +
                             " is not enabled, or not of type JITP.");
  }
  return Order{std::move(found->template_body),
               config.role_arn.empty() ? found->provisioning_role_arn : config.role_arn,
               found->template_arn};
}

}  // namespace

Parameters parameters_of(const crypto::Certificate& certificate) {
  using crypto::Attribute;
  constexpr std::array<std::pair<const char*, Attribute>, 7> fields{{
      {"Country", Attribute::country},
      {"Organization", Attribute::organization},
      {"OrganizationalUnit", Attribute::organizational_unit},
      {"DistinguishedNameQualifier", Attribute::distinguished_name_qualifier},
      {"StateName", Attribute::state},
      {"CommonName", Attribute::common_name},
      {"SerialNumber", Attribute::serial_number},
  }};
  Parameters parameters{{certificate_id_parameter, certificate.id()}};
  for (const auto& [name, attribute] : fields) {
    if (const auto value = certificate.subject().find(attribute))
      parameters["AWS::IoT::Certificate::" + std::string(name)] = *value;
  }
  return parameters;
}

registry::Written<Nothing> provision_arrival(Provisioning& provisioning,
                                             const crypto::Certificate& certificate,
                                             const registry::CaCertificateDescription& ca) {
  registry::Registry& registry = provisioning.registry;
  const auto order = order_of(provisioning, ca);
  if (!order) return order.error();
  const auto read = Template::parse(order->template_body);
  if (!read) return registry::invalid(read.error().message);
  // Nothing else may be provisioned by a stranger's arrival than the certificate that it proves.
  if (!read->takes_certificate_id())
    return registry::invalid("The template does not provision the certificate that arrives.");
  const auto plan = read->resolve(with_account(registry, parameters_of(certificate)));
  if (!plan) return registry::invalid(plan.error().message);
  if (auto permitted = check_permit(provisioning, order->role_arn, order->source, *plan);
      !permitted)
    return permitted.error();
  return change(registry, [&](registry::Change& change) -> Reply<Nothing> {
    if (auto there = register_arrival(change, certificate, ca.certificate_id); !there)
      return there.error();
    const auto state = find_certificate(change, certificate.id());
    if (!state || state->status != CertificateStatus::pending_activation) {
      return Failure(Kind::certificate_state, "The certificate " + certificate.id() +
                                                  " is not PENDING_ACTIVATION any more.");
    }
    if (auto done = apply(change, *plan, std::nullopt); !done) return done.error();
    return Nothing{};
  });
}

}  // namespace gnomon::provisioning
