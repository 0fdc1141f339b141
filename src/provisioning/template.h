// Provisioning templates: what is to be made for a device, with parameters (AWS IoT: "Provisioning
// templates"). Pure: bytes in, a Plan out; what is done with it is in register_thing.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "provisioning/expression.h"

namespace gnomon::provisioning {

// What holds if the thing or certificate is there already (OverrideSettings).
enum class Override : std::uint8_t {
  do_nothing,  // it stays as it is; also where the template says nothing
  replace,     // it becomes as the template says
  merge,       // of attributes and groups: the template's come to those that are there
  fail,        // provisioning fails
};

struct ThingPlan {
  std::string logical_id;
  std::string thing_name;
  std::string thing_type_name, billing_group;  // empty: none
  std::optional<std::map<std::string, std::string>> attributes;
  std::optional<Texts> thing_groups;
  Override on_type{}, on_attributes{}, on_groups{};
};

// One of the first three is given.
struct CertificatePlan {
  std::string logical_id;
  std::string certificate_id, certificate_pem, request_pem;
  std::string ca_certificate_pem;  // may be, with certificate_pem
  bool active = true;              // ACTIVE or INACTIVE
  Override on_status{};
};

struct PolicyPlan {
  std::string logical_id;
  std::string policy_name;
  std::string policy_document;  // empty: the policy must be there
};

// What is to be made. All names have the form that the service model states.
struct Plan {
  std::optional<ThingPlan> thing;
  std::optional<CertificatePlan> certificate;
  std::vector<PolicyPlan> policies;  // only with a certificate, to which they are attached
  std::map<std::string, std::string> device_configuration;
};

// The parameter that is the id of the certificate which is provisioned.
constexpr const char* certificate_id_parameter = "AWS::IoT::Certificate::Id";

// Template: one that could be read. A value.
class Template {
 public:
  // Errors: invalid, with the place in the template and what is wrong there; exhausted (longer than
  // limits::template_bytes_max).
  static Result<Template> parse(std::string_view body);

  // Parameters that are not declared are not looked at. `AWS::Region` and `AWS::AccountId` need no
  // declaration, and must be among them. Errors: invalid (a parameter without a value or default,
  // what functions find, a name of the wrong form).
  [[nodiscard]] Result<Plan> resolve(const Parameters& parameters) const;

  // Whether its certificate is the one that `AWS::IoT::Certificate::Id` names: so it must be with
  // fleet and just-in-time provisioning.
  [[nodiscard]] bool takes_certificate_id() const;

 private:
  friend class TemplateReader;
  enum class Type : std::uint8_t { thing, certificate, policy };
  struct Resource {
    std::string logical_id;
    Type type{};
    std::map<std::string, Expression> properties;
    std::optional<std::map<std::string, Expression>> attributes;  // AttributePayload
    std::map<std::string, Override> overrides;
  };

  class Resolution;
  std::map<std::string, std::optional<std::string>> parameters_;  // with their defaults
  Mappings mappings_;
  std::vector<Resource> resources_;
  std::map<std::string, Expression> device_configuration_;
};

}  // namespace gnomon::provisioning
