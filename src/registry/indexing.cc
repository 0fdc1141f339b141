#include "registry/indexing.h"

#include <algorithm>

#include "index/tables.h"
#include "registry/group_records.h"
#include "registry/index_records.h"
#include "registry/membership_records.h"
#include "registry/thing_records.h"

namespace gnomon::registry {

namespace {

using index::Configuration;

// Whether `after` has something to be indexed that `before` has not.
bool adds(const Configuration& before, const Configuration& after) {
  if ((after.registry && !before.registry) || (after.shadow && !before.shadow) ||
      (after.connectivity && !before.connectivity)) {
    return true;
  }
  return std::ranges::any_of(after.shadow_names, [&](const std::string& name) {
    return after.indexes_shadow(name) && !before.indexes_shadow(name);
  });
}

// Names behind `after` in a table of them.
Result<std::vector<std::string>> names_behind(const store::Store& store, Table table,
                                              std::string_view after, std::size_t most) {
  const records::Key all = key(table);
  std::string begin(records::Key(all).last(after).view());
  if (!after.empty()) begin += '\0';
  std::vector<std::string> names;
  const auto scanned = store.scan(begin, all.behind(), [&](std::string_view key, std::string_view) {
    names.emplace_back(key.substr(all.view().size()));
    return names.size() < most;
  });
  if (!scanned) return scanned.error();
  return names;
}

}  // namespace

Written<Nothing> configure_index(Registry& registry, Configuration configuration) {
  auto written = change(registry, [&](Change& change) -> Reply<Nothing> {
    const std::string key = index::configuration_key();
    const auto before = load<Configuration>(change.records, key).value_or(Configuration{});
    Configuration after = configuration;
    after.building = before.building || adds(before, after);
    after.clearing = before.clearing || adds(after, before);
    save(change.records, key, after);
    return Nothing{};
  });
  if (written) written->effects.indexing = true;
  return written;
}

Written<bool> settle_index(Registry& registry, const Configuration& done) {
  return change(registry, [&](Change& change) -> Reply<bool> {
    const std::string key = index::configuration_key();
    auto now = load<Configuration>(change.records, key).value_or(Configuration{});
    if (now != done) return false;
    now.building = now.clearing = false;
    save(change.records, key, now);
    return true;
  });
}

Result<std::vector<std::string>> thing_names(const store::Store& store, std::string_view after,
                                             std::size_t most) {
  return names_behind(store, Table::thing, after, most);
}

Result<bool> has_thing(const store::Store& store, std::string_view name) {
  const auto stored = store.get(key(Table::thing, name));
  if (!stored) return stored.error();
  return stored->has_value();
}

Written<Nothing> index_things(Registry& registry, const std::vector<std::string>& names) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    if (!is_indexed(change.records)) return Nothing{};
    for (const std::string& name : names) {
      const auto thing = load_thing(change.records, name);
      if (!thing) continue;
      std::map<std::string, std::string> entries;
      add_postings(name, *thing, entries);
      for (auto& [key, value] : entries) change.records.put(key, std::move(value));
      index_groups(change.records, name, {}, load_memberships(change.records, name));
    }
    return Nothing{};
  });
}

// What is read of one thing only is not kept.
Reply<std::optional<IndexedThing>> IndexedThings::find(const std::string& name) {
  std::optional<IndexedThing> found;
  if (const auto value = records_.peek(key(Table::thing, name))) {
    auto thing = decode<stored::Thing>(records_, *value);
    found.emplace(IndexedThing{
        uuid(thing.id), std::move(thing.type), {}, std::move(thing.attributes), thing.version});
    if (const auto in = records_.peek(key(Table::membership, name))) {
      auto memberships = decode<stored::Memberships>(records_, *in);
      for (auto& [group, root] : memberships.groups) {
        const auto there = load_group(records_, group.name);
        if (there && there->id == group.id) found->groups.push_back(std::move(group.name));
      }
    }
  }
  if (records_.failure()) return Failure(*records_.failure());
  return found;
}

Reply<std::vector<IndexedGroup>> indexed_groups(const Registry& registry, std::string_view after,
                                                std::size_t most) {
  const auto names = names_behind(registry.store, Table::group, after, most);
  if (!names) return Failure(names.error());
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<std::vector<IndexedGroup>> {
                         std::vector<IndexedGroup> groups;
                         for (const std::string& name : *names) {
                           auto group = load_group(records, name);
                           if (!group) continue;
                           IndexedGroup found{name,
                                              uuid(group->id),
                                              std::move(group->description),
                                              {},
                                              std::move(group->attributes)};
                           for (stored::GroupRef& ancestor : group->ancestors)
                             found.parents.push_back(std::move(ancestor.name));
                           groups.push_back(std::move(found));
                         }
                         return groups;
                       });
}

Reply<std::vector<DynamicGroup>> dynamic_groups(const Registry& registry) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<std::vector<DynamicGroup>> {
                         std::vector<DynamicGroup> groups;
                         const auto all = load_dynamic_groups(records);
                         groups.reserve(all.groups.size());
                         for (const auto& [name, group] : all.groups)
                           groups.push_back({name, group.query, group.created});
                         return groups;
                       });
}

}  // namespace gnomon::registry
