// Provisioning templates that are kept, with their versions: CreateProvisioningTemplate,
// DescribeProvisioningTemplate, UpdateProvisioningTemplate, DeleteProvisioningTemplate,
// ListProvisioningTemplates, and the same of versions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "provisioning/provisioning.h"
#include "provisioning/tables.h"
#include "registry/authorities.h"
#include "registry/page.h"
#include "registry/tags.h"

namespace gnomon::provisioning {

[[nodiscard]] std::string_view to_string(TemplateType type);  // "FLEET_PROVISIONING", "JITP"

struct ProvisioningHook {
  std::string payload_version, target_arn;
};

struct CreateTemplate {
  std::string template_name, description, template_body, provisioning_role_arn;
  bool enabled = false;
  std::optional<ProvisioningHook> pre_provisioning_hook;
  TemplateType type = TemplateType::fleet_provisioning;
  registry::Tags tags;
};
struct TemplateVersionCreated {
  std::string template_arn, template_name;
  std::uint64_t version_id = 1;
  bool is_default_version = true;
};
// Errors: resource_already_exists; invalid_request (the body, one whose certificate is not that of
// AWS::IoT::Certificate::Id, no role of this account, a hook, tags); limit_exceeded.
registry::Written<TemplateVersionCreated> create_template(Provisioning& provisioning,
                                                          const CreateTemplate& request);

struct TemplateDescription {
  std::string template_arn, template_name, description;
  std::string template_body;  // of the default version; "" in a listing
  std::string provisioning_role_arn;
  std::uint64_t default_version_id = 0;
  bool enabled = false;
  std::optional<ProvisioningHook> pre_provisioning_hook;
  TemplateType type{};
  WallTime creation_date, last_modified_date;
};
// Errors: resource_not_found.
registry::Reply<TemplateDescription> describe_template(const Provisioning& provisioning,
                                                       std::string_view name);

struct UpdateTemplate {
  std::string template_name;
  std::optional<std::string> description, provisioning_role_arn;
  std::optional<bool> enabled;
  std::optional<std::uint64_t> default_version_id;
  std::optional<ProvisioningHook> pre_provisioning_hook;
  bool remove_pre_provisioning_hook = false;
};
// Errors: resource_not_found (the template, the version), invalid_request (the role, a hook).
registry::Written<registry::Nothing> update_template(Provisioning& provisioning,
                                                     const UpdateTemplate& request);
// With all its versions. Errors: resource_not_found, delete_conflict (a CA certificate names it).
registry::Written<registry::Nothing> delete_template(Provisioning& provisioning,
                                                     const std::string& name);
// By their names. Errors: invalid_request (the token).
registry::Reply<registry::Page<TemplateDescription>> list_templates(
    const Provisioning& provisioning, const registry::PageRequest& page);

// Errors: resource_not_found, invalid_request (the body), versions_limit_exceeded (5).
registry::Written<TemplateVersionCreated> create_template_version(Provisioning& provisioning,
                                                                  const std::string& name,
                                                                  const std::string& template_body,
                                                                  bool set_as_default);
struct TemplateVersionDescription {
  std::uint64_t version_id = 0;
  WallTime creation_date;
  std::string template_body;  // "" in a listing
  bool is_default_version = false;
};
// Errors: resource_not_found (the template, the version).
registry::Reply<TemplateVersionDescription> describe_template_version(
    const Provisioning& provisioning, std::string_view name, std::uint64_t version);
// Errors: resource_not_found, delete_conflict (the default version).
registry::Written<registry::Nothing> delete_template_version(Provisioning& provisioning,
                                                             const std::string& name,
                                                             std::uint64_t version);
// The oldest first. Errors: resource_not_found, invalid_request (the token).
registry::Reply<registry::Page<TemplateVersionDescription>> list_template_versions(
    const Provisioning& provisioning, std::string_view name, const registry::PageRequest& page);

// Whether a CA's certificates can be provisioned so: its template by its body, or by its name.
// Errors: resource_not_found (the template); invalid_request (the body, the role, a template that
// is not of type JITP).
registry::Reply<registry::Nothing> check_config(const Provisioning& provisioning,
                                                const registry::RegistrationConfig& config);

}  // namespace gnomon::provisioning
