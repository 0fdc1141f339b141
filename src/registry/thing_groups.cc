#include "registry/thing_groups.h"

#include "base/limits.h"
#include "registry/attachment_records.h"
#include "registry/events.h"
#include "registry/group_records.h"
#include "registry/index_records.h"
#include "registry/tag_records.h"

namespace gnomon::registry {

namespace {

// Sets what is given.
Reply<Nothing> apply(const ThingGroupProperties& properties, stored::Group& group) {
  if (properties.thing_group_description) group.description = *properties.thing_group_description;
  if (!properties.attribute_payload) return Nothing{};
  if (!properties.attribute_payload->merge) group.attributes.clear();
  for (const auto& [name, value] : properties.attribute_payload->attributes)
    group.attributes[name] = value;
  std::erase_if(group.attributes, [](const auto& attribute) { return attribute.second.empty(); });
  if (group.attributes.size() <= limits::attributes_max) return Nothing{};
  return invalid("A thing group can have at most " + std::to_string(limits::attributes_max) +
                 " attributes.");
}

// Makes the group a child of its parent, whose record says how many it has: so none comes to a
// parent that is deleted meanwhile.
Reply<Nothing> join_parent(Change& change, const std::string& parent_name, stored::Group& group) {
  auto parent = load_group(change.records, parent_name);
  if (!parent) return invalid("Parent thing group " + parent_name + " cannot be found.");
  if (is_dynamic(change.records, parent_name)) return not_static(parent_name);
  if (parent->ancestors.size() + 2 > limits::group_levels_max) {
    return invalid("A hierarchy of thing groups can have at most " +
                   std::to_string(limits::group_levels_max) + " levels.");
  }
  if (parent->children == limits::group_children_max) {
    return invalid("A thing group can have at most " + std::to_string(limits::group_children_max) +
                   " direct child groups.");
  }
  group.ancestors = parent->ancestors;
  group.ancestors.push_back({parent_name, parent->id});
  ++parent->children;
  save(change.records, key(Table::group, parent_name), *parent);
  return Nothing{};
}

void leave_parent(Change& change, const stored::Group& group) {
  if (group.ancestors.empty()) return;
  const std::string& name = group.ancestors.back().name;
  auto parent = load_group(change.records, name);
  if (!parent) return;
  --parent->children;
  save(change.records, key(Table::group, name), *parent);
}

// The query of a dynamic group; empty: it is static.
std::string query_of(records::Transaction& records, const std::string& name) {
  const auto all = load_dynamic_groups(records).groups;
  const auto found = all.find(name);
  return found == all.end() ? "" : found->second.query;
}

Reply<Nothing> set_query(Change& change, const std::string& name, const std::string& query) {
  auto all = load_dynamic_groups(change.records);
  const auto [at, fresh] = all.groups.try_emplace(name);
  if (fresh && all.groups.size() > limits::dynamic_groups_max) {
    return Failure(Kind::limit_exceeded, "An account can have at most " +
                                             std::to_string(limits::dynamic_groups_max) +
                                             " dynamic thing groups.");
  }
  at->second.query = query;
  if (fresh) at->second.created = change.now;
  save_dynamic_groups(change.records, all);
  return Nothing{};
}

Failure not_dynamic(const std::string& name) {
  return invalid("Thing group " + name + " is not dynamic.");
}

// Errors: it is of the other kind.
Reply<Nothing> check_kind(records::Transaction& records, const std::string& name, bool dynamic) {
  if (is_dynamic(records, name) == dynamic) return Nothing{};
  return dynamic ? not_dynamic(name) : not_static(name);
}

bool same(const stored::Group& group, const stored::Group& wanted, const std::string& parent) {
  const std::string is = group.ancestors.empty() ? "" : group.ancestors.back().name;
  return is == parent && group.description == wanted.description &&
         group.attributes == wanted.attributes;
}

}  // namespace

Written<CreatedThingGroup> create_thing_group(Registry& registry, const CreateThingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<CreatedThingGroup> {
    const std::string& name = request.thing_group_name;
    const std::string arn = change.arn(group_resource(name));
    stored::Group wanted;
    if (auto applied = apply(request.thing_group_properties, wanted); !applied)
      return applied.error();
    if (const auto group = load_group(change.records, name)) {
      if (same(*group, wanted, request.parent_group_name) &&
          query_of(change.records, name) == request.query)
        return CreatedThingGroup{name, arn, uuid(group->id)};
      return already_exists(
          "Thing group " + name + " already exists in account with different properties.", name,
          arn);
    }
    wanted.id = change.new_id();
    wanted.created = change.now;
    if (!request.parent_group_name.empty()) {
      if (auto joined = join_parent(change, request.parent_group_name, wanted); !joined)
        return joined.error();
    }
    if (!request.query.empty()) {
      if (auto queried = set_query(change, name, request.query); !queried) return queried.error();
    }
    if (auto tagged = save_tags(change.records, group_resource(name), request.tags); !tagged)
      return tagged.error();
    save(change.records, key(Table::group, name), wanted);
    change.records.put(child_key(wanted, name), "");
    announce_group(change, Operation::created, name, wanted);
    if (!wanted.ancestors.empty())
      announce_hierarchy(change, true, wanted.ancestors.back(), {name, wanted.id});
    return CreatedThingGroup{name, arn, uuid(wanted.id)};
  });
}

Reply<ThingGroupDescription> describe_thing_group(const Registry& registry, std::string_view name) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<ThingGroupDescription> {
        auto group = load_group(records, name);
        if (!group) return no_group(name);
        ThingGroupDescription answer;
        answer.thing_group_name = name;
        answer.thing_group_arn = arn(registry, group_resource(name));
        answer.thing_group_id = uuid(group->id);
        answer.version = group->version;
        answer.thing_group_description = std::move(group->description);
        answer.attributes = std::move(group->attributes);
        answer.creation_date = group->created;
        answer.query = query_of(records, answer.thing_group_name);
        for (stored::GroupRef& ancestor : group->ancestors) {
          std::string arn = registry::arn(registry, group_resource(ancestor.name));
          answer.root_to_parent_thing_groups.push_back({ancestor.name, std::move(arn)});
          answer.parent_group_name = std::move(ancestor.name);
        }
        return answer;
      });
}

Written<std::uint64_t> update_thing_group(Registry& registry, const UpdateThingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<std::uint64_t> {
    const std::string& name = request.thing_group_name;
    auto group = load_group(change.records, name);
    if (!group) return no_group(name);
    if (request.expected_version.value_or(group->version) != group->version)
      return wrong_version("thing group " + name);
    if (auto kind = check_kind(change.records, name, request.dynamic); !kind) return kind.error();
    if (auto applied = apply(request.thing_group_properties, *group); !applied)
      return applied.error();
    if (!request.query.empty()) {
      if (auto queried = set_query(change, name, request.query); !queried) return queried.error();
    }
    ++group->version;
    save(change.records, key(Table::group, name), *group);
    announce_group(change, Operation::updated, name, *group);
    return group->version;
  });
}

Written<Nothing> delete_thing_group(Registry& registry, const std::string& name,
                                    std::optional<std::uint64_t> expected_version, bool dynamic) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    records::Transaction& records = change.records;
    records.always();
    const auto group = load_group(records, name);
    if (!group) return Nothing{};
    if (expected_version.value_or(group->version) != group->version)
      return wrong_version("thing group " + name);
    if (auto kind = check_kind(records, name, dynamic); !kind) return kind.error();
    if (group->children > 0) {
      return invalid("Cannot delete thing group : " + name +
                     " when there are still child groups attached to it");
    }
    // Its things keep a reference that leads nowhere: there may be a million of them. Whose
    // permissions came through it is not looked for, either.
    const records::Key members = id_key(Table::group_member, group->id, "");
    records.erase_range(std::string(members.view()), members.behind());
    change.touched.everyone = has_policies(records, *group);
    detach_all(records, Target{Target::Kind::group, group->id});
    leave_parent(change, *group);
    records.erase(child_key(*group, name));
    records.erase(key(Table::group, name));
    if (dynamic) {
      auto all = load_dynamic_groups(records);
      all.groups.erase(name);
      save_dynamic_groups(records, all);
    }
    erase_tags(records, group_resource(name));
    if (!group->ancestors.empty())
      announce_hierarchy(change, false, group->ancestors.back(), {name, group->id});
    announce_group(change, Operation::deleted, name, *group);
    return Nothing{};
  });
}

namespace {

GroupNameAndArn to_entry(const Registry& registry, std::string name) {
  std::string arn = registry::arn(registry, group_resource(name));
  return {std::move(name), std::move(arn)};
}

// All groups below `top`, however deep.
Reply<Page<GroupNameAndArn>> list_below(const Registry& registry, records::Transaction& records,
                                        const stored::GroupRef& top,
                                        const ListThingGroups& request) {
  const std::string listing = "groups below " + top.name + ' ' + request.name_prefix_filter;
  const auto limit = limit_of(request.page);
  if (!limit) return limit.error();
  auto place = place_of(listing, request.page);
  if (!place) return place.error();
  if (place->empty()) place = top.name;
  Page<GroupNameAndArn> page;
  for (std::size_t seen = 0;; ++seen) {
    std::string next = next_group(records, top, *place);
    if (next.empty()) return page;
    if (page.items.size() == *limit || seen == limits::page_examined_max) {
      page.next_token = token_of(listing, *place);
      return page;
    }
    place = next;
    if (next.starts_with(request.name_prefix_filter))
      page.items.push_back(to_entry(registry, std::move(next)));
  }
}

}  // namespace

Reply<Page<GroupNameAndArn>> list_thing_groups(const Registry& registry,
                                               const ListThingGroups& request) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<GroupNameAndArn>> {
        Listing listing{"groups", key(Table::group)};
        if (!request.parent_group.empty()) {
          const auto parent = load_group(records, request.parent_group);
          if (!parent) return no_group(request.parent_group);
          const stored::GroupRef top{request.parent_group, parent->id};
          if (request.recursive.value_or(false)) return list_below(registry, records, top, request);
          listing.prefix = id_key(Table::group_child, parent->id, "");
        } else if (!request.recursive.value_or(true)) {
          listing.prefix = roots_key();
        }
        listing.from = request.name_prefix_filter;
        return convert<GroupNameAndArn>(list(records, listing, request.page), [&](Entry& entry) {
          return to_entry(registry, std::move(entry.rest));
        });
      });
}

}  // namespace gnomon::registry
