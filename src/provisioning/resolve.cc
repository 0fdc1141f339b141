// Template::resolve(): from a template and its parameters to what is to be made.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "crypto/hash.h"
#include "provisioning/template.h"

namespace gnomon::provisioning {

namespace {

Error wrong(const std::string& where, std::string_view what) {
  return {Code::invalid, where + ": " + std::string(what)};
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// The form of a name, as the service model of iot states it: letters, digits, '_', '-' and others.
struct Form {
  std::string_view others;
  std::size_t least = 1, most = 128;

  [[nodiscard]] bool fits(std::string_view text) const {
    return text.size() >= least && text.size() <= most && std::ranges::all_of(text, [&](char c) {
             return is_word(c) || others.find(c) != std::string_view::npos;
           });
  }
};
constexpr Form name_form{":"};  // of things, types, groups, billing groups
constexpr Form policy_form{"+=,.@"};
constexpr Form attribute_name_form{".,@/:#"};
constexpr Form attribute_value_form{".,@/:#=[]", 0, 800};
constexpr std::size_t certificate_id_size = 64;

bool is_certificate_id(std::string_view text) {
  return text.size() == certificate_id_size && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

bool same_without_case(std::string_view text, std::string_view capitals) {
  return std::ranges::equal(text, capitals, [](char a, char b) {
    return a == b || (a >= 'a' && a <= 'z' && a - 'a' + 'A' == b);
  });
}

}  // namespace

// Resolution: one resolve().
class Template::Resolution {
 public:
  Resolution(const Template& of, Parameters parameters)
      : template_(of), parameters_(std::move(parameters)) {}

  Result<Plan> run() {
    for (const Resource& resource : template_.resources_) {
      const std::string where = "Resources." + resource.logical_id + ".Properties.";
      auto done = resource.type == Type::thing         ? thing(resource, where)
                  : resource.type == Type::certificate ? certificate(resource, where)
                                                       : policy(resource, where);
      if (!done) return done.error();
    }
    if (auto done = texts(template_.device_configuration_, "DeviceConfiguration.",
                          plan_.device_configuration);
        !done)
      return done.error();
    return std::move(plan_);
  }

 private:
  // Sets `out` to the text of a property, if it is there.
  Result<void> take(const Resource& resource, const std::string& where, const char* name,
                    std::string& out) const {
    const auto at = resource.properties.find(name);
    if (at == resource.properties.end()) return {};
    auto value = evaluate_text(at->second, parameters_, template_.mappings_);
    if (!value) return wrong(where + name, value.error().message);
    out = std::move(*value);
    return {};
  }
  // The same, of this form.
  Result<void> take(const Resource& resource, const std::string& where, const char* name,
                    const Form& form, std::string& out) const {
    if (!resource.properties.contains(name)) return {};
    if (auto done = take(resource, where, name, out); !done) return done;
    if (!form.fits(out)) return wrong(where + name, "'" + out + "' is no such name");
    return {};
  }
  Result<void> texts(const std::map<std::string, Expression>& from, const std::string& where,
                     std::map<std::string, std::string>& out) const {
    for (const auto& [name, expression] : from) {
      auto value = evaluate_text(expression, parameters_, template_.mappings_);
      if (!value) return wrong(where + name, value.error().message);
      out.emplace(name, std::move(*value));
    }
    return {};
  }
  static Override override_of(const Resource& resource, const char* name) {
    const auto at = resource.overrides.find(name);
    return at == resource.overrides.end() ? Override::do_nothing : at->second;
  }

  Result<void> thing(const Resource& resource, const std::string& where) {
    ThingPlan& plan = plan_.thing.emplace();
    plan.logical_id = resource.logical_id;
    plan.on_type = override_of(resource, "ThingTypeName");
    plan.on_attributes = override_of(resource, "AttributePayload");
    plan.on_groups = override_of(resource, "ThingGroups");
    for (const auto& [name, out] : {std::pair{"ThingName", &plan.thing_name},
                                    {"ThingTypeName", &plan.thing_type_name},
                                    {"BillingGroup", &plan.billing_group}}) {
      if (auto done = take(resource, where, name, name_form, *out); !done) return done;
    }
    if (auto done = attributes(resource, where + "AttributePayload.", plan); !done) return done;
    return groups(resource, where + "ThingGroups", plan);
  }
  Result<void> attributes(const Resource& resource, const std::string& where,
                          ThingPlan& plan) const {
    if (!resource.attributes) return {};
    auto& made = plan.attributes.emplace();
    if (auto done = texts(*resource.attributes, where, made); !done) return done;
    for (const auto& [name, value] : made) {
      if (!attribute_name_form.fits(name)) return wrong(where + name, "is no name of an attribute");
      if (!attribute_value_form.fits(value))
        return wrong(where + name, "'" + value + "' is no value of an attribute");
    }
    return {};
  }
  Result<void> groups(const Resource& resource, const std::string& where, ThingPlan& plan) const {
    const auto at = resource.properties.find("ThingGroups");
    if (at == resource.properties.end()) return {};
    auto names = evaluate_list(at->second, parameters_, template_.mappings_);
    if (!names) return wrong(where, names.error().message);
    for (const std::string& name : *names)
      if (!name_form.fits(name)) return wrong(where, "'" + name + "' is no such name");
    plan.thing_groups = std::move(*names);
    return {};
  }

  Result<void> certificate(const Resource& resource, const std::string& where) {
    CertificatePlan& plan = plan_.certificate.emplace();
    plan.logical_id = resource.logical_id;
    plan.on_status = override_of(resource, "Status");
    std::string status = "ACTIVE";
    for (const auto& [name, out] : {std::pair{"CertificateId", &plan.certificate_id},
                                    {"CertificatePem", &plan.certificate_pem},
                                    {"CertificateSigningRequest", &plan.request_pem},
                                    {"CACertificatePem", &plan.ca_certificate_pem},
                                    {"Status", &status}}) {
      if (auto done = take(resource, where, name, *out); !done) return done;
    }
    if (resource.properties.contains("CertificateId") && !is_certificate_id(plan.certificate_id))
      return wrong(where + "CertificateId", "'" + plan.certificate_id + "' is no certificate id");
    plan.active = same_without_case(status, "ACTIVE");
    // AWS IoT's own examples write "Active".
    if (!plan.active && !same_without_case(status, "INACTIVE"))
      return wrong(where + "Status", "must be ACTIVE or INACTIVE, not '" + status + "'");
    return {};
  }

  Result<void> policy(const Resource& resource, const std::string& where) {
    PolicyPlan plan;
    plan.logical_id = resource.logical_id;
    if (auto done = take(resource, where, "PolicyName", policy_form, plan.policy_name); !done)
      return done;
    if (auto done = take(resource, where, "PolicyDocument", plan.policy_document); !done)
      return done;
    if (resource.properties.contains("PolicyDocument")) {
      if (plan.policy_document.empty()) return wrong(where + "PolicyDocument", "is empty");
      // AWS IoT: "defaults to a hash of the policy document".
      plan.policy_name = crypto::hex(crypto::sha256(as_bytes(plan.policy_document)));
    }
    plan_.policies.push_back(std::move(plan));
    return {};
  }

  const Template& template_;
  const Parameters parameters_;
  Plan plan_;
};

Result<Plan> Template::resolve(const Parameters& parameters) const {
  Parameters all;
  for (const char* name : {"AWS::Region", "AWS::AccountId"}) {
    const auto given = parameters.find(name);
    if (given != parameters.end()) all.insert(*given);
  }
  for (const auto& [name, fallback] : parameters_) {
    const auto given = parameters.find(name);
    if (given != parameters.end()) {
      all.insert_or_assign(name, given->second);
    } else if (fallback) {
      all.emplace(name, *fallback);
    } else {
      return Error{Code::invalid, "The parameter " + name + " is missing: it has no default."};
    }
  }
  return Resolution(*this, std::move(all)).run();
}

}  // namespace gnomon::provisioning
