#include "iam/policies.h"

#include <algorithm>

#include "base/limits.h"
#include "iam/managed.h"
#include "policy/document.h"

namespace gnomon::iam {

namespace {

records::Key policy_key(std::string_view name) { return key(Table::policy, lower_case(name)); }
records::Key use_key(const ManagedPolicy& policy, EntityKind kind, std::string_view id) {
  return key(Table::policy_use).last(policy.id).last(kind == EntityKind::user ? "u" : "r").last(id);
}

// What a policy_use holds. The name is a role's, which never changes.
struct UseRecord {
  std::string role;
  bool attached = false, boundary = false;
  static void fields(auto& r, auto& archive) { archive(r.role, r.attached, r.boundary); }
};

Reply<Nothing> check_managed(const std::string& document) {
  if (policy::count_characters(document) > limits::managed_policy_characters_max) {
    return Failure(Kind::limit_exceeded, "Cannot exceed quota for PolicySize: " +
                                             std::to_string(limits::managed_policy_characters_max));
  }
  return check_document(document, policy::Kind::identity);
}

// "v1" → its place among the versions; their end.
auto find_version(ManagedPolicy& policy, std::string_view version) {
  return std::ranges::find_if(policy.versions, [&](const PolicyVersion& one) {
    return 'v' + std::to_string(one.number) == version;
  });
}
// Calls `function(policy, records)`, which returns a Reply<T>, and writes the policy.
template <class F>
auto alter_policy(Iam& iam, const std::string& policy_arn, F&& function) {
  using Answer = std::invoke_result_t<F&, ManagedPolicy&, records::Transaction&>;
  return change(iam, [&](records::Transaction& records) -> Answer {
    auto policy = load_policy(iam, records, policy_arn);
    if (!policy) return policy.error();
    auto answer = function(*policy, records);
    if (answer) save(records, policy_key(policy->name), *policy);
    return answer;
  });
}

}  // namespace

Failure no_version(std::string_view policy_arn, std::string_view version) {
  return {Kind::no_such_entity, "Policy " + std::string(policy_arn) + " version " +
                                    std::string(version) + " does not exist or is not attachable."};
}

std::string arn(const Iam& iam, const ManagedPolicy& policy) {
  return arn(iam, "policy" + policy.path + policy.name);
}

Reply<ManagedPolicy> load_policy(const Iam& iam, records::Transaction& records,
                                 const std::string& policy_arn) {
  if (!policy_arn.starts_with("arn:aws:iam::") || policy_arn.find(":policy/") == std::string::npos)
    return Failure(Kind::invalid_input, "ARN " + policy_arn + " is not valid.");
  auto policy =
      load<ManagedPolicy>(records, policy_key(policy_arn.substr(policy_arn.rfind('/') + 1)));
  if (policy && arn(iam, *policy) == policy_arn) return *std::move(policy);
  return Failure(Kind::no_such_entity,
                 "Policy " + policy_arn + " does not exist or is not attachable.");
}

const PolicyVersion& default_of(const ManagedPolicy& policy) {
  return *std::ranges::find(policy.versions, policy.default_version, &PolicyVersion::number);
}

Reply<Nothing> use(const Iam& iam, records::Transaction& records, const Owner& owner,
                   const Entity& entity, const std::string& policy_arn, Use as, bool more) {
  auto policy = load_policy(iam, records, policy_arn);
  if (!policy) return policy.error();
  const records::Key at = use_key(*policy, owner.kind, entity.id);
  UseRecord record = load<UseRecord>(records, at).value_or(UseRecord{});
  record.role = owner.kind == EntityKind::role ? entity.name : "";
  (as == Use::attached ? record.attached : record.boundary) = more;
  std::uint64_t& count = as == Use::attached ? policy->attachments : policy->boundaries;
  count = more ? count + 1 : count - 1;
  save(records, policy_key(policy->name), *policy);
  if (record.attached || record.boundary) {
    save(records, at, record);
  } else {
    records.erase(at);
  }
  return Nothing{};
}

Written<ManagedPolicy> create_policy(Iam& iam, const CreatePolicy& request) {
  return change(iam, [&](records::Transaction& records) -> Reply<ManagedPolicy> {
    if (auto checked = check_managed(request.document); !checked) return checked.error();
    if (auto checked = check_tags(request.tags); !checked) return checked.error();
    if (request.tags.size() > limits::tags_max) return too_many_tags();
    const records::Key at = policy_key(request.name);
    if (!records.absent(at)) {
      return Failure(Kind::entity_already_exists, "A policy called " + request.name +
                                                      " already exists. Duplicate names are not "
                                                      "allowed.");
    }
    if (auto counted = count_up(records, Table::policy); !counted) return counted.error();
    ManagedPolicy policy;
    policy.name = request.name;
    policy.path = request.path;
    policy.id = new_id(iam.random, "ANPA", 21);
    policy.description = request.description;
    policy.created = policy.updated = iam.clock.now();
    policy.tags = request.tags;
    policy.versions.push_back({1, policy.created, request.document});
    save(records, at, policy);
    return policy;
  });
}

Reply<ManagedPolicy> get_policy(const Iam& iam, const std::string& policy_arn) {
  return records::read(iam.store, [&](records::Transaction& records) {
    return load_policy(iam, records, policy_arn);
  });
}

Written<Nothing> delete_policy(Iam& iam, const std::string& policy_arn) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    records.always();
    const auto policy = load_policy(iam, records, policy_arn);
    if (!policy) return policy.error();
    if (policy->attachments + policy->boundaries > 0)
      return Failure(Kind::delete_conflict, "Cannot delete a policy attached to entities.");
    if (policy->versions.size() > 1) {
      return Failure(Kind::delete_conflict,
                     "This policy has more than one version. Before you delete a policy, you must "
                     "delete the policy's versions. The default version is deleted with the "
                     "policy.");
    }
    records.erase(policy_key(policy->name));
    count_down(records, Table::policy);
    return Nothing{};
  });
}

Reply<Page<ManagedPolicy>> list_policies(const Iam& iam, const ListPolicies& request,
                                         const PageRequest& page) {
  return records::read(iam.store, [&](records::Transaction& records) {
    return list_by_name<ManagedPolicy>(records, key(Table::policy), page,
                                       [&](const ManagedPolicy& policy) {
                                         return policy.path.starts_with(request.path_prefix) &&
                                                (!request.attached || policy.attachments > 0) &&
                                                (!request.boundary || policy.boundaries > 0);
                                       });
  });
}

Written<PolicyVersion> create_version(Iam& iam, const std::string& policy_arn,
                                      const std::string& document, bool set_as_default) {
  return alter_policy(
      iam, policy_arn, [&](ManagedPolicy& policy, records::Transaction&) -> Reply<PolicyVersion> {
        if (auto checked = check_managed(document); !checked) return checked.error();
        if (policy.versions.size() >= limits::policy_versions_max) {
          return Failure(Kind::limit_exceeded,
                         "A managed policy can have up to 5 versions. Before you create a new "
                         "version, you must delete an existing version.");
        }
        policy.updated = iam.clock.now();
        policy.versions.push_back({++policy.last_version, policy.updated, document});
        if (set_as_default) policy.default_version = policy.last_version;
        return policy.versions.back();
      });
}

Written<Nothing> delete_version(Iam& iam, const std::string& policy_arn,
                                const std::string& version) {
  return alter_policy(
      iam, policy_arn, [&](ManagedPolicy& policy, records::Transaction& records) -> Reply<Nothing> {
        records.always();
        const auto at = find_version(policy, version);
        if (at == policy.versions.end()) return no_version(policy_arn, version);
        if (at->number == policy.default_version) {
          return Failure(Kind::delete_conflict, "Cannot delete the default version of a policy.");
        }
        policy.versions.erase(at);
        policy.updated = iam.clock.now();
        return Nothing{};
      });
}

Written<Nothing> set_default_version(Iam& iam, const std::string& policy_arn,
                                     const std::string& version) {
  return alter_policy(iam, policy_arn,
                      [&](ManagedPolicy& policy, records::Transaction& records) -> Reply<Nothing> {
                        records.always();
                        const auto at = find_version(policy, version);
                        if (at == policy.versions.end()) return no_version(policy_arn, version);
                        policy.default_version = at->number;
                        policy.updated = iam.clock.now();
                        return Nothing{};
                      });
}

Written<Nothing> tag_policy(Iam& iam, const std::string& policy_arn, const Tags& tags) {
  return alter_policy(iam, policy_arn,
                      [&](ManagedPolicy& policy, records::Transaction&) -> Reply<Nothing> {
                        if (auto checked = check_tags(tags); !checked) return checked.error();
                        put_tags(policy.tags, tags);
                        if (policy.tags.size() > limits::tags_max) return too_many_tags();
                        return Nothing{};
                      });
}

Written<Nothing> untag_policy(Iam& iam, const std::string& policy_arn,
                              const std::vector<std::string>& keys) {
  return alter_policy(iam, policy_arn,
                      [&](ManagedPolicy& policy, records::Transaction& records) -> Reply<Nothing> {
                        records.always();
                        for (const std::string& name : keys) policy.tags.erase(name);
                        return Nothing{};
                      });
}

Reply<Target> find_target(const Iam& iam, std::string_view whose) {
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<Target> {
    const std::string name(whose.substr(whose.rfind('/') + 1));
    for (const EntityKind kind : {EntityKind::user, EntityKind::role}) {
      if (!whose.starts_with(arn(iam, std::string(to_string(kind)) + '/'))) continue;
      const auto entity = load_entity(records, {kind, name});
      if (!entity || arn(iam, kind, *entity) != whose) return Target{};
      return Target{entity->tags, entity->boundary};
    }
    const auto policy = load_policy(iam, records, std::string(whose));
    return policy ? Target{policy->tags, ""} : Target{};
  });
}

Written<Nothing> attach(Iam& iam, const Owner& owner, const std::string& policy_arn) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    const auto at = std::ranges::lower_bound(entity->attached, policy_arn);
    if (at != entity->attached.end() && *at == policy_arn) return Nothing{};
    if (auto used = use(iam, records, owner, *entity, policy_arn, Use::attached, true); !used)
      return used.error();
    if (entity->attached.size() >= limits::policies_attached_max) {
      return Failure(Kind::limit_exceeded,
                     "Cannot exceed quota for PoliciesPer" +
                         std::string(owner.kind == EntityKind::user ? "User: " : "Role: ") +
                         std::to_string(limits::policies_attached_max));
    }
    entity->attached.insert(at, policy_arn);
    save(records, key(owner), *entity);
    return Nothing{};
  });
}

Written<Nothing> detach(Iam& iam, const Owner& owner, const std::string& policy_arn) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    records.always();
    auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    if (auto policy = load_policy(iam, records, policy_arn); !policy) return policy.error();
    if (std::erase(entity->attached, policy_arn) == 0)
      return Failure(Kind::no_such_entity, "Policy " + policy_arn + " was not found.");
    save(records, key(owner), *entity);
    return use(iam, records, owner, *entity, policy_arn, Use::attached, false);
  });
}

Written<Nothing> set_boundary(Iam& iam, const Owner& owner, const std::string& policy_arn) {
  return change(iam, [&](records::Transaction& records) -> Reply<Nothing> {
    auto entity = load_entity(records, owner);
    if (!entity) return entity.error();
    if (entity->boundary == policy_arn) return Nothing{};
    if (!entity->boundary.empty()) {
      auto freed = use(iam, records, owner, *entity, entity->boundary, Use::boundary, false);
      if (!freed) return freed.error();
    }
    if (!policy_arn.empty()) {
      auto used = use(iam, records, owner, *entity, policy_arn, Use::boundary, true);
      if (!used) return used.error();
    }
    entity->boundary = policy_arn;
    save(records, key(owner), *entity);
    return Nothing{};
  });
}

Reply<std::vector<PolicyUse>> list_uses(const Iam& iam, const std::string& policy_arn) {
  using Uses = std::vector<PolicyUse>;
  return records::read(iam.store, [&](records::Transaction& records) -> Reply<Uses> {
    const auto policy = load_policy(iam, records, policy_arn);
    if (!policy) return policy.error();
    Uses uses;
    for (const EntityKind kind : {EntityKind::user, EntityKind::role}) {
      const records::Key prefix = use_key(*policy, kind, "");
      records.scan(prefix, prefix.behind(), [&](std::string_view at, std::string_view value) {
        const auto record = decode<UseRecord>(records, value);
        uses.push_back({kind, record.role, "", std::string(at.substr(prefix.view().size())),
                        record.attached, record.boundary});
        return true;
      });
    }
    for (PolicyUse& one : uses) {
      if (one.kind == EntityKind::user)
        one.name = records.get(key(Table::user_by_id, one.id)).value_or("");
      if (const auto entity = load_entity(records, {one.kind, one.name})) one.path = entity->path;
    }
    return uses;
  });
}

}  // namespace gnomon::iam
