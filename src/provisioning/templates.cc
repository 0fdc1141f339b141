#include "provisioning/templates.h"

#include "base/limits.h"
#include "provisioning/template.h"
#include "registry/change.h"

namespace gnomon::provisioning {

using registry::Change;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Reply;
using registry::Written;

namespace {

std::string resource(std::string_view name) {
  return std::string("provisioningtemplate/").append(name);
}
Failure no_template(std::string_view name) {
  return registry::not_found("Provisioning template " + std::string(name) + " does not exist.");
}
Failure no_version(std::string_view name, std::uint64_t version) {
  return registry::not_found("Provisioning template " + std::string(name) + " has no version " +
                             std::to_string(version) + '.');
}

std::optional<stored::Template> load_template(records::Transaction& records,
                                              std::string_view name) {
  return registry::load<stored::Template>(records, key(Table::provisioning_template, name));
}
void save_template(Change& change, std::string_view name, stored::Template& record) {
  record.modified = change.now;
  registry::save(change.records, key(Table::provisioning_template, name), record);
}

Reply<Nothing> check_body(std::string_view body) {
  const auto read = Template::parse(body);
  if (!read) return registry::invalid(read.error().message);
  if (read->takes_certificate_id()) return Nothing{};
  return registry::invalid(
      "The template must have an AWS::IoT::Certificate whose CertificateId is {\"Ref\": "
      "\"AWS::IoT::Certificate::Id\"}: that is the certificate which is provisioned.");
}

Reply<Nothing> set_hook(const Provisioning& provisioning,
                        const std::optional<ProvisioningHook>& hook, stored::Template& record) {
  if (!hook) return Nothing{};
  if (provisioning.hook == nullptr) {
    return registry::invalid(
        "preProvisioningHook: functions are not built into this server, so there is nobody to ask "
        "before a device is provisioned. Leave the hook out.");
  }
  record.hook_target = hook->target_arn;
  record.hook_version = hook->payload_version.empty() ? "2020-04-01" : hook->payload_version;
  return Nothing{};
}

void save_version(Change& change, std::string_view name, std::uint64_t number,
                  const std::string& body) {
  registry::save(change.records, version_key(name, number),
                 stored::TemplateVersion{body, change.now});
}
std::optional<stored::TemplateVersion> load_version(records::Transaction& records,
                                                    std::string_view name, std::uint64_t number) {
  return registry::load<stored::TemplateVersion>(records, version_key(name, number));
}

TemplateDescription describe(const registry::Registry& registry, std::string_view name,
                             const stored::Template& record) {
  TemplateDescription answer;
  answer.template_arn = arn(registry, resource(name));
  answer.template_name = name;
  answer.description = record.description;
  answer.provisioning_role_arn = record.role_arn;
  answer.default_version_id = record.default_version;
  answer.enabled = record.enabled;
  if (!record.hook_target.empty())
    answer.pre_provisioning_hook = {record.hook_version, record.hook_target};
  answer.type = record.type;
  answer.creation_date = record.created;
  answer.last_modified_date = record.modified;
  return answer;
}

bool is_full(records::Transaction& records) {
  const records::Key all = key(Table::provisioning_template);
  std::size_t count = 0;
  records.scan(all, all.behind(), [&](auto, auto) { return ++count < limits::templates_max; });
  return count == limits::templates_max;
}

}  // namespace

std::string_view to_string(TemplateType type) {
  return type == TemplateType::jitp ? "JITP" : "FLEET_PROVISIONING";
}

Written<TemplateVersionCreated> create_template(Provisioning& provisioning,
                                                const CreateTemplate& request) {
  const registry::Registry& registry = provisioning.registry;
  if (auto checked = check_body(request.template_body); !checked) return checked.error();
  if (auto checked = check_role(registry, request.provisioning_role_arn); !checked)
    return checked.error();
  stored::Template made;
  made.type = request.type;
  made.enabled = request.enabled;
  made.description = request.description;
  made.role_arn = request.provisioning_role_arn;
  if (auto set = set_hook(provisioning, request.pre_provisioning_hook, made); !set)
    return set.error();
  return change(provisioning.registry, [&](Change& change) -> Reply<TemplateVersionCreated> {
    const std::string& name = request.template_name;
    const std::string arn = change.arn(resource(name));
    if (load_template(change.records, name)) {
      return registry::already_exists("Provisioning template " + name + " already exists.", name,
                                      arn);
    }
    if (is_full(change.records)) {
      return Failure(Kind::limit_exceeded, "There can be at most " +
                                               std::to_string(limits::templates_max) +
                                               " provisioning templates.");
    }
    if (auto tagged = registry::save_tags(change.records, resource(name), request.tags); !tagged)
      return tagged.error();
    stored::Template record = made;
    record.created = change.now;
    save_version(change, name, 1, request.template_body);
    save_template(change, name, record);
    return TemplateVersionCreated{arn, name, 1, true};
  });
}

Reply<TemplateDescription> describe_template(const Provisioning& provisioning,
                                             std::string_view name) {
  const registry::Registry& registry = provisioning.registry;
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<TemplateDescription> {
                         const auto record = load_template(records, name);
                         if (!record) return no_template(name);
                         TemplateDescription answer = describe(registry, name, *record);
                         const auto version = load_version(records, name, record->default_version);
                         if (!version) return no_version(name, record->default_version);
                         answer.template_body = version->body;
                         return answer;
                       });
}

Written<Nothing> update_template(Provisioning& provisioning, const UpdateTemplate& request) {
  return change(provisioning.registry, [&](Change& change) -> Reply<Nothing> {
    const std::string& name = request.template_name;
    auto record = load_template(change.records, name);
    if (!record) return no_template(name);
    if (request.pre_provisioning_hook && request.remove_pre_provisioning_hook)
      return registry::invalid("preProvisioningHook cannot be set and removed at once.");
    if (request.remove_pre_provisioning_hook) {
      record->hook_target.clear();
      record->hook_version.clear();
    }
    if (auto set = set_hook(provisioning, request.pre_provisioning_hook, *record); !set) return set;
    if (request.provisioning_role_arn) {
      if (auto checked = check_role(change.registry, *request.provisioning_role_arn); !checked)
        return checked;
      record->role_arn = *request.provisioning_role_arn;
    }
    if (request.default_version_id) {
      record->default_version = *request.default_version_id;
      if (!load_version(change.records, name, record->default_version))
        return no_version(name, record->default_version);
    }
    record->description = request.description.value_or(record->description);
    record->enabled = request.enabled.value_or(record->enabled);
    save_template(change, name, *record);
    return Nothing{};
  });
}

Written<Nothing> delete_template(Provisioning& provisioning, const std::string& name) {
  // A CA that names it meanwhile finds it gone when a device arrives, and says so.
  const auto used = registry::list_ca_certificates(provisioning.registry, name, true, {1, ""});
  if (!used) return used.error();
  return change(provisioning.registry, [&](Change& change) -> Reply<Nothing> {
    if (!load_template(change.records, name)) return no_template(name);
    if (!used->items.empty()) {
      return Failure(Kind::delete_conflict, "The CA certificate " +
                                                used->items.front().certificate_id +
                                                " is registered with the template " + name + '.');
    }
    const records::Key versions = key(Table::template_version).text(name);
    change.records.erase_range(std::string(versions.view()), versions.behind());
    change.records.erase(key(Table::provisioning_template, name));
    registry::erase_tags(change.records, resource(name));
    return Nothing{};
  });
}

Reply<registry::Page<TemplateDescription>> list_templates(const Provisioning& provisioning,
                                                          const registry::PageRequest& page) {
  const registry::Registry& registry = provisioning.registry;
  return records::read(
      registry.store,
      [&](records::Transaction& records) -> Reply<registry::Page<TemplateDescription>> {
        const registry::Listing listing{"provisioning templates",
                                        key(Table::provisioning_template)};
        return registry::convert<TemplateDescription>(
            list(records, listing, page), [&](const registry::Entry& entry) {
              return describe(registry, entry.rest,
                              registry::decode<stored::Template>(records, entry.value));
            });
      });
}

Written<TemplateVersionCreated> create_template_version(Provisioning& provisioning,
                                                        const std::string& name,
                                                        const std::string& template_body,
                                                        bool set_as_default) {
  if (auto checked = check_body(template_body); !checked) return checked.error();
  return change(provisioning.registry, [&](Change& change) -> Reply<TemplateVersionCreated> {
    auto record = load_template(change.records, name);
    if (!record) return no_template(name);
    if (record->versions >= limits::template_versions_max) {
      return Failure(Kind::versions_limit_exceeded,
                     "The provisioning template " + name +
                         " already has the maximum number of versions (" +
                         std::to_string(limits::template_versions_max) + ").");
    }
    const std::uint64_t version = record->next_version++;
    ++record->versions;
    if (set_as_default) record->default_version = version;
    save_version(change, name, version, template_body);
    save_template(change, name, *record);
    return TemplateVersionCreated{change.arn(resource(name)), name, version, set_as_default};
  });
}

Reply<TemplateVersionDescription> describe_template_version(const Provisioning& provisioning,
                                                            std::string_view name,
                                                            std::uint64_t version) {
  return records::read(provisioning.registry.store,
                       [&](records::Transaction& records) -> Reply<TemplateVersionDescription> {
                         const auto record = load_template(records, name);
                         if (!record) return no_template(name);
                         const auto found = load_version(records, name, version);
                         if (!found) return no_version(name, version);
                         return TemplateVersionDescription{version, found->created, found->body,
                                                           version == record->default_version};
                       });
}

Written<Nothing> delete_template_version(Provisioning& provisioning, const std::string& name,
                                         std::uint64_t version) {
  return change(provisioning.registry, [&](Change& change) -> Reply<Nothing> {
    auto record = load_template(change.records, name);
    if (!record) return no_template(name);
    if (!load_version(change.records, name, version)) return no_version(name, version);
    if (version == record->default_version) {
      return Failure(Kind::delete_conflict,
                     "Cannot delete the default version of a provisioning template: set another "
                     "one as default, or delete the template.");
    }
    --record->versions;
    change.records.erase(version_key(name, version));
    save_template(change, name, *record);
    return Nothing{};
  });
}

Reply<registry::Page<TemplateVersionDescription>> list_template_versions(
    const Provisioning& provisioning, std::string_view name, const registry::PageRequest& page) {
  return records::read(
      provisioning.registry.store,
      [&](records::Transaction& records) -> Reply<registry::Page<TemplateVersionDescription>> {
        const auto record = load_template(records, name);
        if (!record) return no_template(name);
        const registry::Listing listing{"template versions",
                                        key(Table::template_version).text(name)};
        return registry::convert<TemplateVersionDescription>(
            list(records, listing, page), [&](const registry::Entry& entry) {
              const std::uint64_t number = records::KeyReader(entry.rest).number();
              const auto found = registry::decode<stored::TemplateVersion>(records, entry.value);
              return TemplateVersionDescription{number, found.created, "",
                                                number == record->default_version};
            });
      });
}

Reply<Nothing> check_config(const Provisioning& provisioning,
                            const registry::RegistrationConfig& config) {
  if (!config.template_name.empty()) {
    const auto found = describe_template(provisioning, config.template_name);
    if (!found) return found.error();
    if (found->type == TemplateType::jitp) return Nothing{};
    return registry::invalid(
        "The provisioning template " + config.template_name +
        " is for fleet provisioning: a CA certificate needs one of type JITP.");
  }
  if (config.template_body.empty()) return Nothing{};
  if (auto checked = check_body(config.template_body); !checked) return checked;
  if (config.role_arn.empty()) return Nothing{};  // the registry says so
  return check_role(provisioning.registry, config.role_arn);
}

}  // namespace gnomon::provisioning
