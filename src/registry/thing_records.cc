#include "registry/thing_records.h"

#include "registry/index_records.h"

namespace gnomon::registry {

namespace {

// The entries by which a thing is listed, besides its own. One of an attribute has the type as its
// value: so a filter by both needs no other record.
std::map<std::string, std::string> entries_of(std::string_view name, const stored::Thing& thing,
                                              bool indexed) {
  std::map<std::string, std::string> entries;
  const auto add = [&](const records::Key& key, const std::string& value = "") {
    entries.emplace(key.view(), value);
  };
  if (!thing.type.empty()) add(key(Table::thing_by_type, thing.type, name));
  if (!thing.billing_group_id.empty())
    add(id_key(Table::billing_member, thing.billing_group_id, name));
  for (const auto& [attribute, value] : thing.attributes)
    add(key(Table::thing_by_attribute).text(attribute).text(value).last(name), thing.type);
  if (indexed) add_postings(name, thing, entries);
  return entries;
}

}  // namespace

Failure no_thing(std::string_view name) {
  return not_found("Thing " + std::string(name) + " cannot be found.");
}

void save_thing(records::Transaction& records, std::string_view name,
                const std::optional<stored::Thing>& old, const stored::Thing& thing) {
  const bool indexed = is_indexed(records);
  const auto before = old ? entries_of(name, *old, indexed) : std::map<std::string, std::string>();
  const auto after = entries_of(name, thing, indexed);
  for (const auto& [key, value] : before)
    if (!after.contains(key)) records.erase(key);
  for (const auto& [key, value] : after) {
    const auto it = before.find(key);
    if (it == before.end() || it->second != value) records.put(key, value);
  }
  save(records, key(Table::thing, name), thing);
}

void erase_thing(records::Transaction& records, std::string_view name, const stored::Thing& thing) {
  const bool indexed = is_indexed(records);
  for (const auto& [key, value] : entries_of(name, thing, indexed)) records.erase(key);
  if (indexed) forget_connectivity(records, name);
  records.erase(key(Table::thing, name));
}

std::string billing_group_of(records::Transaction& records, const stored::Thing& thing) {
  if (thing.billing_group.empty()) return "";
  const auto group =
      load<stored::BillingGroup>(records, key(Table::billing_group, thing.billing_group));
  return group && group->id == thing.billing_group_id ? thing.billing_group : "";
}

}  // namespace gnomon::registry
