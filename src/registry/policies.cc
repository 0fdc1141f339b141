#include "registry/policies.h"

#include <algorithm>

#include "base/limits.h"
#include "policy/document.h"
#include "registry/policy_records.h"
#include "registry/steps.h"
#include "registry/tag_records.h"

namespace gnomon::registry {

namespace {

Failure no_version(std::string_view name, std::uint64_t version) {
  return not_found("Policy " + std::string(name) + " has no version " + std::to_string(version) +
                   '.');
}

Reply<Nothing> check_document(const std::string& document) {
  const auto parsed = policy::parse(document, policy::Dialect::iot);
  if (parsed) return Nothing{};
  return Failure(Kind::malformed_policy, parsed.error().message);
}

auto find(stored::Policy& policy, std::uint64_t version) {
  return std::ranges::find(policy.versions, version, &stored::Policy::Version::number);
}

// Adds a version to the policy's record, and writes its document.
PolicyVersionDescription add_version(Change& change, const std::string& name,
                                     stored::Policy& policy, std::uint64_t version,
                                     const std::string& document) {
  const stored::PolicyVersion record{document, change.new_id()};
  policy.versions.push_back({version, change.now});
  policy.modified = change.now;
  policy.generation_id = change.new_id();
  save(change.records, version_key(name, version), record);
  return {name,
          change.arn(policy_resource(name)),
          document,
          version,
          policy.default_version == version,
          change.now,
          uuid(record.generation_id)};
}

bool is_attached(records::Transaction& records, std::string_view name) {
  const records::Key prefix = key(Table::policy_target).text(name);
  bool found = false;
  records.scan(prefix, prefix.behind(), [&](auto, auto) {
    found = true;
    return false;
  });
  return found;
}

Reply<stored::Policy> load_to_delete(records::Transaction& records, const std::string& name) {
  auto policy = load_policy(records, name);
  if (!policy) return no_policy(name);
  if (policy->versions.size() > 1) {
    return Failure(Kind::delete_conflict,
                   "Cannot delete the policy because it has one or more policy versions attached "
                   "to it (name=" +
                       name + ")");
  }
  if (is_attached(records, name)) {
    return Failure(Kind::delete_conflict,
                   "The policy cannot be deleted as the policy is attached to one or more "
                   "principals (name=" +
                       name + ")");
  }
  return std::move(*policy);
}

// Marks the policy: whoever attaches it from now on takes the mark away.
Written<Nothing> close(Registry& registry, const std::string& name) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    auto policy = load_to_delete(change.records, name);
    if (!policy) return policy.error();
    policy->closing = true;
    save(change.records, key(Table::policy, name), *policy);
    return Nothing{};
  });
}

// Deletes it, if it still has the mark: nobody has attached it since, and who did so before is
// seen. False: it has none.
Written<bool> erase_closed(Registry& registry, const std::string& name) {
  return change(registry, [&](Change& change) -> Reply<bool> {
    const auto policy = load_to_delete(change.records, name);
    if (!policy) return policy.error();
    if (!policy->closing) return false;
    change.records.erase(key(Table::policy, name));
    for (const auto& version : policy->versions)
      change.records.erase(version_key(name, version.number));
    erase_tags(change.records, policy_resource(name));
    return true;
  });
}

}  // namespace

bool has_policy(Change& change, std::string_view policy_name) {
  return load_policy(change.records, policy_name).has_value();
}

Failure no_policy(std::string_view name) {
  return not_found("Policy not found (name=" + std::string(name) + ")");
}

Reply<PolicyVersionDescription> create_policy(Change& change, const CreatePolicy& request) {
  if (auto checked = check_document(request.policy_document); !checked) return checked.error();
  const std::string& name = request.policy_name;
  if (load_policy(change.records, name)) {
    return already_exists("Policy cannot be created - name already exists (name=" + name + ")",
                          name, change.arn(policy_resource(name)));
  }
  if (auto tagged = save_tags(change.records, policy_resource(name), request.tags); !tagged)
    return tagged.error();
  stored::Policy policy;
  policy.created = change.now;
  auto answer = add_version(change, name, policy, 1, request.policy_document);
  save(change.records, key(Table::policy, name), policy);
  return answer;
}

Written<PolicyVersionDescription> create_policy(Registry& registry, const CreatePolicy& request) {
  return change(registry, [&](Change& change) { return create_policy(change, request); });
}

Reply<PolicyDescription> get_policy(const Registry& registry, std::string_view policy_name) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<PolicyDescription> {
                         const auto policy = load_policy(records, policy_name);
                         if (!policy) return no_policy(policy_name);
                         return PolicyDescription{
                             std::string(policy_name),
                             arn(registry, policy_resource(policy_name)),
                             load_version(records, policy_name, policy->default_version).document,
                             policy->default_version,
                             policy->created,
                             policy->modified,
                             uuid(policy->generation_id)};
                       });
}

// Two steps, since a scan alone does not see what is attached while it runs. If the server stops
// between them the mark stays, and means nothing.
Written<Nothing> delete_policy(Registry& registry, const std::string& policy_name) {
  for (int attempt = 0; attempt < records::attempts_max; ++attempt) {
    if (auto closed = close(registry, policy_name); !closed) return closed.error();
    auto erased = erase_closed(registry, policy_name);
    if (!erased) return erased.error();
    if (erased->value)
      return Done<Nothing>{Nothing{}, erased->sequence, std::move(erased->effects)};
    // It was attached, and detached again, meanwhile.
  }
  return Failure(Kind::service_unavailable, "The policy is attached again and again: try later.");
}

Reply<Page<PolicyEntry>> list_policies(const Registry& registry, bool ascending,
                                       const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<PolicyEntry>> {
        Listing listing{"policies", key(Table::policy)};
        listing.back = !ascending;
        return convert<PolicyEntry>(list(records, listing, page), [&](Entry& entry) {
          std::string arn = registry::arn(registry, policy_resource(entry.rest));
          return PolicyEntry{std::move(entry.rest), std::move(arn)};
        });
      });
}

Written<PolicyVersionDescription> create_policy_version(Registry& registry,
                                                        const std::string& policy_name,
                                                        const std::string& policy_document,
                                                        bool set_as_default) {
  if (auto checked = check_document(policy_document); !checked) return checked.error();
  return change(registry, [&](Change& change) -> Reply<PolicyVersionDescription> {
    auto policy = load_policy(change.records, policy_name);
    if (!policy) return no_policy(policy_name);
    if (policy->versions.size() == limits::policy_versions_max) {
      return Failure(Kind::versions_limit_exceeded,
                     "The policy " + policy_name + " already has the maximum number of versions (" +
                         std::to_string(limits::policy_versions_max) + ").");
    }
    const std::uint64_t version = policy->next_version++;
    if (set_as_default) {
      policy->default_version = version;
      change.touched.policies.insert(policy_name);
    }
    auto answer = add_version(change, policy_name, *policy, version, policy_document);
    save(change.records, key(Table::policy, policy_name), *policy);
    return answer;
  });
}

Reply<PolicyVersionDescription> get_policy_version(const Registry& registry,
                                                   std::string_view policy_name,
                                                   std::uint64_t version) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<PolicyVersionDescription> {
        auto policy = load_policy(records, policy_name);
        if (!policy) return no_policy(policy_name);
        const auto found = find(*policy, version);
        if (found == policy->versions.end()) return no_version(policy_name, version);
        const stored::PolicyVersion record = load_version(records, policy_name, version);
        return PolicyVersionDescription{std::string(policy_name),
                                        arn(registry, policy_resource(policy_name)),
                                        record.document,
                                        version,
                                        policy->default_version == version,
                                        found->created,
                                        uuid(record.generation_id)};
      });
}

Written<Nothing> delete_policy_version(Registry& registry, const std::string& policy_name,
                                       std::uint64_t version) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    auto policy = load_policy(change.records, policy_name);
    if (!policy) return no_policy(policy_name);
    const auto found = find(*policy, version);
    if (found == policy->versions.end()) return no_version(policy_name, version);
    if (policy->default_version == version) {
      return Failure(Kind::delete_conflict,
                     "Cannot delete the default version of a policy: set another one as default, "
                     "or delete the policy.");
    }
    policy->versions.erase(found);
    policy->modified = change.now;
    change.records.erase(version_key(policy_name, version));
    save(change.records, key(Table::policy, policy_name), *policy);
    return Nothing{};
  });
}

Reply<std::vector<PolicyVersionEntry>> list_policy_versions(const Registry& registry,
                                                            std::string_view policy_name) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<std::vector<PolicyVersionEntry>> {
        const auto policy = load_policy(records, policy_name);
        if (!policy) return no_policy(policy_name);
        std::vector<PolicyVersionEntry> entries;
        for (const auto& version : policy->versions) {
          entries.insert(
              entries.begin(),
              {version.number, version.number == policy->default_version, version.created});
        }
        return entries;
      });
}

Written<Nothing> set_default_policy_version(Registry& registry, const std::string& policy_name,
                                            std::uint64_t version) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();  // rights are taken away on a full disk, too
    auto policy = load_policy(change.records, policy_name);
    if (!policy) return no_policy(policy_name);
    if (find(*policy, version) == policy->versions.end()) return no_version(policy_name, version);
    if (policy->default_version == version) return Nothing{};
    policy->default_version = version;
    policy->modified = change.now;
    policy->generation_id = change.new_id();
    save(change.records, key(Table::policy, policy_name), *policy);
    change.touched.policies.insert(policy_name);
    return Nothing{};
  });
}

}  // namespace gnomon::registry
