#include "registry/group_records.h"

namespace gnomon::registry {

namespace {

const std::string no_parent(16, '\0');

// The first child of a group whose name is behind `name`; empty: there is none.
std::string child_behind(records::Transaction& records, std::string_view id,
                         std::string_view name) {
  const records::Key prefix = id_key(Table::group_child, id, "");
  std::string begin(records::Key(prefix).last(name).view());
  if (!name.empty()) begin += '\0';
  std::string found;
  records.scan(begin, prefix.behind(), [&](std::string_view key, std::string_view) {
    found = key.substr(prefix.view().size());
    return false;
  });
  return found;
}

}  // namespace

Failure no_group(std::string_view name) {
  return not_found("Thing group " + std::string(name) + " cannot be found.");
}

std::string group_resource(std::string_view name) {
  return std::string("thinggroup/").append(name);
}

const std::string& root_of(const stored::Group& group) {
  return group.ancestors.empty() ? group.id : group.ancestors.front().id;
}

records::Key child_key(const stored::Group& group, std::string_view name) {
  return id_key(Table::group_child, group.ancestors.empty() ? no_parent : group.ancestors.back().id,
                name);
}

records::Key roots_key() { return id_key(Table::group_child, no_parent, ""); }

std::string next_group(records::Transaction& records, const stored::GroupRef& top,
                       const std::string& name) {
  const auto group = load_group(records, name);
  if (!group) return "";
  if (group->children > 0) return child_behind(records, group->id, "");
  // Up again, until one of the parents has another child.
  std::vector<stored::GroupRef> path = group->ancestors;
  path.push_back({name, group->id});
  for (; path.size() > 1 && path.back().id != top.id; path.pop_back()) {
    std::string sibling = child_behind(records, path[path.size() - 2].id, path.back().name);
    if (!sibling.empty()) return sibling;
  }
  return "";
}

}  // namespace gnomon::registry
