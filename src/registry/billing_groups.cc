#include "registry/billing_groups.h"

#include "registry/tag_records.h"
#include "registry/thing_records.h"

namespace gnomon::registry {

namespace {

std::string resource(std::string_view name) { return std::string("billinggroup/").append(name); }

std::optional<stored::BillingGroup> load_group(records::Transaction& records,
                                               std::string_view name) {
  return load<stored::BillingGroup>(records, key(Table::billing_group, name));
}

Failure no_group(std::string_view name) {
  return not_found("Billing group " + std::string(name) + " cannot be found.");
}

// Both names of a request, and what they name.
struct Pair {
  std::string thing_name, group_name;
  stored::Thing thing;
  stored::BillingGroup group;
};
Reply<Pair> find(Change& change, const ThingInBillingGroup& request) {
  const auto group_name = name_of(change.registry, "billinggroup/", request.billing_group_name,
                                  request.billing_group_arn);
  if (!group_name) return group_name.error();
  const auto thing_name = name_of(change.registry, "thing/", request.thing_name, request.thing_arn);
  if (!thing_name) return thing_name.error();
  auto group = load_group(change.records, *group_name);
  if (!group) return no_group(*group_name);
  auto thing = load_thing(change.records, *thing_name);
  if (!thing) return no_thing(*thing_name);
  return Pair{*thing_name, *group_name, std::move(*thing), std::move(*group)};
}

}  // namespace

Written<CreatedBillingGroup> create_billing_group(Registry& registry,
                                                  const CreateBillingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<CreatedBillingGroup> {
    const std::string& name = request.billing_group_name;
    const std::string arn = change.arn(resource(name));
    if (const auto group = load_group(change.records, name)) {
      if (group->description == request.billing_group_description)
        return CreatedBillingGroup{name, arn, uuid(group->id)};
      return already_exists(
          "Billing group " + name + " already exists in account with different properties.", name,
          arn);
    }
    if (auto tagged = save_tags(change.records, resource(name), request.tags); !tagged)
      return tagged.error();
    const stored::BillingGroup group{change.new_id(), 1, request.billing_group_description,
                                     change.now};
    save(change.records, key(Table::billing_group, name), group);
    return CreatedBillingGroup{name, arn, uuid(group.id)};
  });
}

Reply<BillingGroupDescription> describe_billing_group(const Registry& registry,
                                                      std::string_view name) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<BillingGroupDescription> {
        const auto group = load_group(records, name);
        if (!group) return no_group(name);
        return BillingGroupDescription{std::string(name),  arn(registry, resource(name)),
                                       uuid(group->id),    group->version,
                                       group->description, group->created};
      });
}

Written<std::uint64_t> update_billing_group(Registry& registry, const UpdateBillingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<std::uint64_t> {
    const std::string& name = request.billing_group_name;
    auto group = load_group(change.records, name);
    if (!group) return no_group(name);
    if (request.expected_version.value_or(group->version) != group->version)
      return wrong_version("billing group " + name);
    if (request.billing_group_description) group->description = *request.billing_group_description;
    ++group->version;
    save(change.records, key(Table::billing_group, name), *group);
    return group->version;
  });
}

Written<Nothing> delete_billing_group(Registry& registry, const std::string& name,
                                      std::optional<std::uint64_t> expected_version) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    const auto group = load_group(change.records, name);
    if (!group) return Nothing{};
    if (expected_version.value_or(group->version) != group->version)
      return wrong_version("billing group " + name);
    // The things keep a reference that leads nowhere: there may be a million of them.
    const records::Key members = id_key(Table::billing_member, group->id, "");
    change.records.erase_range(std::string(members.view()), members.behind());
    change.records.erase(key(Table::billing_group, name));
    erase_tags(change.records, resource(name));
    return Nothing{};
  });
}

Reply<Page<GroupNameAndArn>> list_billing_groups(const Registry& registry,
                                                 std::string_view name_prefix,
                                                 const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<GroupNameAndArn>> {
        Listing listing{"billing groups", key(Table::billing_group)};
        listing.from = name_prefix;
        return convert<GroupNameAndArn>(list(records, listing, page), [&](Entry& entry) {
          std::string arn = registry::arn(registry, resource(entry.rest));
          return GroupNameAndArn{std::move(entry.rest), std::move(arn)};
        });
      });
}

Written<Nothing> add_thing_to_billing_group(Registry& registry,
                                            const ThingInBillingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    auto pair = find(change, request);
    if (!pair) return pair.error();
    const stored::Thing old = pair->thing;
    pair->thing.billing_group = pair->group_name;
    pair->thing.billing_group_id = pair->group.id;
    save_thing(change.records, pair->thing_name, old, pair->thing);
    return Nothing{};
  });
}

Written<Nothing> remove_thing_from_billing_group(Registry& registry,
                                                 const ThingInBillingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    auto pair = find(change, request);
    if (!pair) return pair.error();
    if (pair->thing.billing_group_id != pair->group.id) return Nothing{};
    const stored::Thing old = pair->thing;
    pair->thing.billing_group.clear();
    pair->thing.billing_group_id.clear();
    save_thing(change.records, pair->thing_name, old, pair->thing);
    return Nothing{};
  });
}

Reply<Page<std::string>> list_things_in_billing_group(const Registry& registry,
                                                      std::string_view name,
                                                      const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<std::string>> {
        const auto group = load_group(records, name);
        if (!group) return no_group(name);
        const Listing listing{"things billed", id_key(Table::billing_member, group->id, "")};
        return convert<std::string>(list(records, listing, page),
                                    [](Entry& entry) { return std::move(entry.rest); });
      });
}

}  // namespace gnomon::registry
