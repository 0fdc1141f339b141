#include "provisioning/role_aliases.h"

#include "base/limits.h"
#include "provisioning/tables.h"
#include "registry/change.h"

namespace gnomon::provisioning {

using registry::Change;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Reply;
using registry::Written;

namespace {

std::string resource(std::string_view name) { return std::string("rolealias/").append(name); }
Failure no_alias(std::string_view name) {
  return registry::not_found("Role alias " + std::string(name) + " does not exist.");
}
std::optional<stored::RoleAlias> load_alias(records::Transaction& records, std::string_view name) {
  return registry::load<stored::RoleAlias>(records, key(Table::role_alias, name));
}

bool is_full(records::Transaction& records) {
  const records::Key all = key(Table::role_alias);
  std::size_t count = 0;
  records.scan(all, all.behind(), [&](auto, auto) { return ++count < limits::role_aliases_max; });
  return count == limits::role_aliases_max;
}

}  // namespace

Written<NamedRoleAlias> create_role_alias(Provisioning& provisioning,
                                          const CreateRoleAlias& request) {
  if (auto checked = check_role(provisioning.registry, request.role_arn); !checked)
    return checked.error();
  return change(provisioning.registry, [&](Change& change) -> Reply<NamedRoleAlias> {
    const std::string& name = request.role_alias;
    const std::string arn = change.arn(resource(name));
    if (load_alias(change.records, name))
      return registry::already_exists("Role alias " + name + " already exists.", name, arn);
    if (is_full(change.records)) {
      return Failure(
          Kind::limit_exceeded,
          "There can be at most " + std::to_string(limits::role_aliases_max) + " role aliases.");
    }
    if (auto tagged = registry::save_tags(change.records, resource(name), request.tags); !tagged)
      return tagged.error();
    registry::save(
        change.records, key(Table::role_alias, name),
        stored::RoleAlias{request.role_arn, static_cast<std::uint64_t>(request.duration.count()),
                          change.now, change.now});
    return NamedRoleAlias{name, arn};
  });
}

Reply<RoleAliasDescription> describe_role_alias(const Provisioning& provisioning,
                                                std::string_view role_alias) {
  const registry::Registry& registry = provisioning.registry;
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<RoleAliasDescription> {
                         const auto record = load_alias(records, role_alias);
                         if (!record) return no_alias(role_alias);
                         return RoleAliasDescription{std::string(role_alias),
                                                     arn(registry, resource(role_alias)),
                                                     record->role_arn,
                                                     registry.account,
                                                     std::chrono::seconds(record->duration_seconds),
                                                     record->created,
                                                     record->modified};
                       });
}

Written<NamedRoleAlias> update_role_alias(Provisioning& provisioning,
                                          const UpdateRoleAlias& request) {
  return change(provisioning.registry, [&](Change& change) -> Reply<NamedRoleAlias> {
    const std::string& name = request.role_alias;
    auto record = load_alias(change.records, name);
    if (!record) return no_alias(name);
    if (request.role_arn) {
      if (auto checked = check_role(change.registry, *request.role_arn); !checked)
        return checked.error();
    }
    record->role_arn = request.role_arn.value_or(record->role_arn);
    if (request.duration)
      record->duration_seconds = static_cast<std::uint64_t>(request.duration->count());
    record->modified = change.now;
    registry::save(change.records, key(Table::role_alias, name), *record);
    return NamedRoleAlias{name, change.arn(resource(name))};
  });
}

Written<Nothing> delete_role_alias(Provisioning& provisioning, const std::string& role_alias) {
  return change(provisioning.registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();  // it takes rights away
    if (!load_alias(change.records, role_alias)) return no_alias(role_alias);
    change.records.erase(key(Table::role_alias, role_alias));
    registry::erase_tags(change.records, resource(role_alias));
    return Nothing{};
  });
}

Reply<registry::Page<std::string>> list_role_aliases(const Provisioning& provisioning,
                                                     bool ascending,
                                                     const registry::PageRequest& page) {
  return records::read(provisioning.registry.store,
                       [&](records::Transaction& records) -> Reply<registry::Page<std::string>> {
                         registry::Listing listing{"role aliases", key(Table::role_alias)};
                         listing.back = !ascending;
                         return registry::convert<std::string>(
                             list(records, listing, page),
                             [](registry::Entry& entry) { return std::move(entry.rest); });
                       });
}

}  // namespace gnomon::provisioning
