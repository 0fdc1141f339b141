#include "registry/attachments.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "registry/attachment_records.h"
#include "registry/group_records.h"
#include "registry/index_records.h"
#include "registry/membership_records.h"
#include "registry/policy_records.h"
#include "registry/steps.h"
#include "registry/thing_records.h"

namespace gnomon::registry {

namespace {

records::Key target_key(std::string_view policy, const Target& target) {
  return key(Table::policy_target, policy, target.text());
}

void touch(Change& change, const Target& target) {
  (target.kind == Target::Kind::group ? change.touched.groups : change.touched.principals)
      .insert(target.id);
}

// A policy and a target that are there, and what is attached to the target.
struct Pair {
  stored::Policy policy;
  Target named;   // a group by its name
  Target target;  // by its id
  stored::Attachment attachment;

  [[nodiscard]] auto place(const std::string& name) {
    return std::ranges::lower_bound(attachment.policies, name);
  }
  [[nodiscard]] bool attached(const std::string& name) const {
    return std::ranges::binary_search(attachment.policies, name);
  }
};

Reply<Pair> find(Change& change, const std::string& policy_name, const std::string& target) {
  const auto named = parse_target(change.registry, target);
  if (!named) return named.error();
  auto policy = load_policy(change.records, policy_name);
  if (!policy) return no_policy(policy_name);
  const auto found = find_target(change.records, *named);
  if (!found) return found.error();
  return Pair{std::move(*policy), *named, *found, load_attachment(change.records, *found)};
}

// Policies in the order in which they are found, each once.
class Collector {
 public:
  Collector(const Registry& registry, records::Transaction& records)
      : registry_(registry), records_(records) {}

  void add(const Target& target, const std::string& via) {
    for (const std::string& name : load_attachment(records_, target).policies) {
      if (!seen_.insert(name).second) continue;
      const auto policy = load_policy(records_, name);
      if (!policy) continue;
      found_.push_back({name, arn(registry_, policy_resource(name)),
                        load_version(records_, name, policy->default_version).document,
                        policy->default_version, via});
    }
  }
  // Those of a group and of the groups above it.
  void add_group(const std::string& name) {
    const auto group = load_group(records_, name);
    if (!group) return;
    add({Target::Kind::group, group->id}, "thing group " + name);
    for (const stored::GroupRef& above : group->ancestors)
      add({Target::Kind::group, above.id}, "thing group " + above.name);
  }
  [[nodiscard]] std::vector<EffectivePolicy> take() { return std::move(found_); }

 private:
  const Registry& registry_;
  records::Transaction& records_;
  std::set<std::string> seen_;
  std::vector<EffectivePolicy> found_;
};

}  // namespace

Reply<Nothing> check_principal(const Registry& registry, std::string_view principal) {
  if (const auto named = principal_of(registry, principal); !named) return named.error();
  return Nothing{};
}

Reply<Nothing> attach_policy(Change& change, const std::string& policy_name,
                             const std::string& target) {
  auto pair = find(change, policy_name, target);
  if (!pair) return pair.error();
  if (pair->attached(policy_name)) return Nothing{};
  if (pair->target.kind == Target::Kind::group && is_dynamic(change.records, pair->named.id))
    return invalid("A policy cannot be attached to a dynamic thing group: " + pair->named.id);
  if (pair->attachment.policies.size() == limits::policies_attached_max) {
    return Failure(Kind::limit_exceeded, "At most " +
                                             std::to_string(limits::policies_attached_max) +
                                             " policies can be attached to a target.");
  }
  // Whoever is about to delete the policy sees that it must not.
  if (pair->policy.closing) {
    pair->policy.closing = false;
    save(change.records, key(Table::policy, policy_name), pair->policy);
  }
  pair->attachment.policies.insert(pair->place(policy_name), policy_name);
  save_attachment(change.records, pair->target, pair->attachment);
  const bool group = pair->target.kind == Target::Kind::group;
  save(change.records, target_key(policy_name, pair->target),
       stored::PolicyTarget{group ? pair->named.id : ""});
  touch(change, pair->target);
  return Nothing{};
}

Written<Nothing> attach_policy(Registry& registry, const std::string& policy_name,
                               const std::string& target) {
  return change(registry,
                [&](Change& change) { return attach_policy(change, policy_name, target); });
}

Written<Nothing> detach_policy(Registry& registry, const std::string& policy_name,
                               const std::string& target) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    auto pair = find(change, policy_name, target);
    if (!pair) return pair.error();
    if (!pair->attached(policy_name)) return Nothing{};
    pair->attachment.policies.erase(pair->place(policy_name));
    save_attachment(change.records, pair->target, pair->attachment);
    change.records.erase(target_key(policy_name, pair->target));
    touch(change, pair->target);
    return Nothing{};
  });
}

Reply<Page<PolicyEntry>> list_attached_policies(const Registry& registry, std::string_view target,
                                                bool recursive, const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<PolicyEntry>> {
        const auto named = parse_target(registry, target);
        if (!named) return named.error();
        const auto found = find_target(records, *named);
        if (!found) return found.error();
        Collector collector(registry, records);
        if (recursive && found->kind == Target::Kind::group) {
          collector.add_group(named->id);
        } else {
          collector.add(*found, "");
        }
        std::vector<std::string> names;
        for (EffectivePolicy& policy : collector.take())
          names.push_back(std::move(policy.policy_name));
        const std::string listing =
            "policies of " + std::string(target) + (recursive ? " and above" : "");
        return convert<PolicyEntry>(cut(std::move(names), listing, page), [&](std::string& name) {
          std::string arn = registry::arn(registry, policy_resource(name));
          return PolicyEntry{std::move(name), std::move(arn)};
        });
      });
}

Reply<Page<std::string>> list_targets_for_policy(const Registry& registry,
                                                 std::string_view policy_name, bool principals_only,
                                                 const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<std::string>> {
        if (!load_policy(records, policy_name)) return no_policy(policy_name);
        Listing listing{"targets", key(Table::policy_target).text(policy_name)};
        if (principals_only) {
          listing.name = "principals";
          listing.keep = [](const Entry& entry) { return target_of(entry.rest).is_principal(); };
        }
        return convert<std::string>(list(records, listing, page), [&](const Entry& entry) {
          return to_string(registry, target_of(entry.rest),
                           decode<stored::PolicyTarget>(records, entry.value).group);
        });
      });
}

Reply<std::vector<EffectivePolicy>> get_effective_policies(const Registry& registry,
                                                           std::string_view principal,
                                                           const std::string& thing_name) {
  if (principal.empty() && thing_name.empty())
    return invalid("Either a principal or a thing must be given.");
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<std::vector<EffectivePolicy>> {
        Collector collector(registry, records);
        if (!principal.empty()) {
          const auto named = parse_target(registry, principal);
          if (!named) return named.error();
          const auto target = find_target(records, *named);
          if (!target) return target.error();
          if (target->kind == Target::Kind::group) {
            collector.add_group(named->id);
          } else {
            const bool identity = target->kind == Target::Kind::identity;
            collector.add(*target, (identity ? "identity " : "certificate ") + target->id);
          }
        }
        if (!thing_name.empty()) {
          if (!load_thing(records, thing_name)) return no_thing(thing_name);
          for (const stored::Membership& in : load_memberships(records, thing_name))
            collector.add_group(in.group.name);
        }
        return collector.take();
      });
}

}  // namespace gnomon::registry
