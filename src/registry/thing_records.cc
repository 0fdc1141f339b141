#include "registry/thing_records.h"

namespace gnomon::registry {

namespace {

// The keys under which a thing is listed, besides its own.
std::vector<std::string> entries_of(std::string_view name, const stored::Thing& thing) {
  std::vector<std::string> keys;
  const auto add = [&](const records::Key& key) { keys.emplace_back(key.view()); };
  if (!thing.type.empty()) add(key(Table::thing_by_type, thing.type, name));
  if (!thing.billing_group_id.empty())
    add(id_key(Table::billing_member, thing.billing_group_id, name));
  for (const auto& [attribute, value] : thing.attributes)
    add(key(Table::thing_by_attribute).text(attribute).text(value).last(name));
  return keys;
}

}  // namespace

Failure no_thing(std::string_view name) {
  return not_found("Thing " + std::string(name) + " cannot be found.");
}

void save_thing(records::Transaction& records, std::string_view name,
                const std::optional<stored::Thing>& old, const stored::Thing& thing) {
  const std::vector<std::string> before = old ? entries_of(name, *old) : std::vector<std::string>();
  const std::vector<std::string> after = entries_of(name, thing);
  const std::set<std::string_view> kept(before.begin(), before.end());
  const std::set<std::string_view> wanted(after.begin(), after.end());
  for (const std::string& key : before)
    if (!wanted.contains(key)) records.erase(key);
  for (const std::string& key : after)
    if (!kept.contains(key)) records.put(key, "");
  save(records, key(Table::thing, name), thing);
}

void erase_thing(records::Transaction& records, std::string_view name, const stored::Thing& thing) {
  for (const std::string& key : entries_of(name, thing)) records.erase(key);
  records.erase(key(Table::thing, name));
}

std::string billing_group_of(records::Transaction& records, const stored::Thing& thing) {
  if (thing.billing_group.empty()) return "";
  const auto group =
      load<stored::BillingGroup>(records, key(Table::billing_group, thing.billing_group));
  return group && group->id == thing.billing_group_id ? thing.billing_group : "";
}

}  // namespace gnomon::registry
