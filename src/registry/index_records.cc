#include "registry/index_records.h"

#include "index/configuration.h"
#include "index/connectivity.h"
#include "index/terms.h"
#include "registry/tables.h"

namespace gnomon::registry {

namespace {

records::Key dynamic_key() { return key(Table::setting, "dynamic_groups"); }

std::map<std::string, std::string> group_postings(std::string_view name,
                                                  const std::vector<stored::Membership>& groups) {
  std::map<std::string, std::string> entries;
  for (const stored::Membership& in : groups)
    entries.emplace(index::posting("thingGroupNames", index::text_value(in.group.name), name), "");
  return entries;
}

}  // namespace

bool is_indexed(records::Transaction& records) {
  const auto configuration = load<index::Configuration>(records, index::configuration_key());
  return configuration && configuration->registry;
}

void add_postings(std::string_view name, const stored::Thing& thing,
                  std::map<std::string, std::string>& entries) {
  const auto add = [&](std::string_view field, const index::Value& value) {
    entries.emplace(index::posting(field, value, name), "");
  };
  add("thingName", index::text_value(name));
  add("thingId", index::text_value(uuid(thing.id)));
  if (!thing.type.empty()) add("thingTypeName", index::text_value(thing.type));
  for (const auto& [attribute, value] : thing.attributes) {
    const std::string field = "attributes." + attribute;
    add(field, index::text_value(value));
    if (const auto number = index::number_of(value)) add(field, index::number_value(*number));
  }
}

void index_groups(records::Transaction& records, std::string_view name,
                  const std::vector<stored::Membership>& before,
                  const std::vector<stored::Membership>& after) {
  if (!is_indexed(records)) return;
  const auto old = group_postings(name, before);
  const auto now = group_postings(name, after);
  for (const auto& [key, value] : old)
    if (!now.contains(key)) records.erase(key);
  for (const auto& [key, value] : now) records.put(key, value);
}

void forget_connectivity(records::Transaction& records, std::string_view name) {
  const auto stored = records.peek(index::connectivity_key(name));
  if (!stored || decode<index::Connectivity>(records, *stored).connected) return;
  for (const std::string& key : index::keys_of_connectivity(name)) records.erase(key);
}

stored::DynamicGroups load_dynamic_groups(records::Transaction& records) {
  return load<stored::DynamicGroups>(records, dynamic_key()).value_or(stored::DynamicGroups{});
}

void save_dynamic_groups(records::Transaction& records, const stored::DynamicGroups& groups) {
  if (groups.groups.empty()) return records.erase(dynamic_key());
  save(records, dynamic_key(), groups);
}

bool is_dynamic(records::Transaction& records, const std::string& group_name) {
  return load_dynamic_groups(records).groups.contains(group_name);
}

Failure not_static(std::string_view group_name) {
  return invalid("Thing group " + std::string(group_name) +
                 " is dynamic: the things in it are those that its query matches.");
}

}  // namespace gnomon::registry
