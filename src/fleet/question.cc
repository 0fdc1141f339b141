#include "fleet/question.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "index/tables.h"

namespace gnomon::fleet {

namespace {

using index::Configuration;
using index::Query;
using registry::Failure;
using registry::Kind;
using registry::Nothing;
using registry::Reply;

Failure invalid_query(std::string message) { return {Kind::invalid_query, std::move(message)}; }

Failure no_field(std::string_view field) {
  return invalid_query("Unknown field '" + std::string(field) +
                       "': fields are thingName, thingId, thingTypeName, thingGroupNames, "
                       "attributes.NAME, registry.version, shadow.desired.PATH, "
                       "shadow.reported.PATH, shadow.hasDelta, shadow.version, "
                       "shadow.metadata.PATH.timestamp, shadow.name.NAME with the same, "
                       "connectivity.connected, connectivity.timestamp, "
                       "connectivity.disconnectReason.");
}
Failure not_indexed(std::string_view field, std::string_view what, std::string_view setting) {
  return invalid_query("The field '" + std::string(field) + "' cannot be searched: " +
                       std::string(what) + " not indexed. UpdateIndexingConfiguration with " +
                       std::string(setting) + " switches it on.");
}

Reply<Nothing> check_shadow_field(const Configuration& what, std::string_view field,
                                  std::string_view rest) {
  if (rest.starts_with("name.")) {
    const std::string_view behind = rest.substr(5);
    const std::size_t dot = behind.find('.');
    if (dot == std::string_view::npos || dot + 1 == behind.size()) return no_field(field);
    const std::string_view name = behind.substr(0, dot);
    if (!what.indexes_shadow(name)) {
      return not_indexed(field, "the shadow '" + std::string(name) + "' is",
                         "namedShadowIndexingMode ON and its name in filter.namedShadowNames");
    }
    rest = behind.substr(dot + 1);
  } else if (!what.shadow) {
    return not_indexed(field, "classic shadows are", "thingIndexingMode REGISTRY_AND_SHADOW");
  }
  constexpr std::array<std::string_view, 3> trees{"desired.", "reported.", "metadata."};
  const bool known = rest == "hasDelta" || rest == "version" ||
                     std::ranges::any_of(trees, [&](std::string_view tree) {
                       return rest.starts_with(tree) && rest.size() > tree.size();
                     });
  if (!known) return no_field(field);
  return Nothing{};
}

bool is_group_field(std::string_view field) {
  constexpr std::string_view attributes = "attributes.";
  return field == "thingGroupName" || field == "thingGroupId" || field == "thingGroupDescription" ||
         field == "parentGroupNames" ||
         (field.starts_with(attributes) && field.size() > attributes.size());
}

Reply<Query> read(std::string_view text) {
  auto query = index::read_query(text);
  if (!query) return invalid_query("Invalid query: " + query.error().message + '.');
  return *std::move(query);
}

// The first field of a query that check() refuses.
template <class F>
Reply<Nothing> check_fields(const Query& query, F&& check) {
  std::optional<Failure> failure;
  index::each_leaf(query, [&](const Query& leaf) {
    if (failure || leaf.field.empty()) return;
    if (auto checked = check(leaf.field); !checked) failure = checked.error();
  });
  if (failure) return *failure;
  return Nothing{};
}

Reply<Query> read_about_things(const Configuration& what, std::string_view text) {
  auto query = read(text);
  if (!query) return query.error();
  auto checked =
      check_fields(*query, [&](const std::string& field) { return check_field(what, field); });
  if (!checked) return checked.error();
  return query;
}

// Whether `leaf` speaks of a group of this name.
class GroupName final : public index::Subject {
 public:
  explicit GroupName(std::string_view name) : name_(name) {}
  void each(std::string_view, const Visit& visit) const override {
    visit(index::text_value(name_));
  }

 private:
  std::string_view name_;
};

// A leaf about thingGroupNames also matches the things of the dynamic groups that it speaks of.
void expand(Query& query, const std::vector<Dynamic>& groups) {
  for (Query& part : query.parts) expand(part, groups);
  const bool leaf = query.parts.empty() && query.kind != Query::Kind::all;
  if (!leaf || (query.field != "thingGroupNames" && !query.field.empty())) return;
  Query either;
  either.kind = Query::Kind::either;
  for (const Dynamic& each : groups)
    if (index::matches(query, GroupName(each.group.name))) either.parts.push_back(each.query);
  if (either.parts.empty()) return;
  either.parts.push_back(std::move(query));
  query = std::move(either);
}

Reply<std::vector<Dynamic>> dynamic_groups(const registry::Registry& registry,
                                           const Configuration& what) {
  auto groups = registry::dynamic_groups(registry);
  if (!groups) return groups.error();
  std::ranges::sort(*groups, {}, [](const registry::DynamicGroup& group) {
    return std::pair(group.created.ms, std::string_view(group.name));
  });
  std::vector<Dynamic> read;
  for (registry::DynamicGroup& group : *groups) {
    // One whose fields are not indexed any more has nothing in it.
    auto query = read_about_things(what, group.query);
    if (query) read.push_back({std::move(group), *std::move(query)});
  }
  return read;
}

Reply<Configuration> ready_configuration(const registry::Registry& registry) {
  auto what = index::load_configuration(registry.store);
  if (!what) return Failure(what.error());
  if (!what->registry) {
    return registry::not_found(
        "Index AWS_Things does not exist: things are not indexed. UpdateIndexingConfiguration "
        "with thingIndexingMode REGISTRY or REGISTRY_AND_SHADOW switches it on.");
  }
  if (what->building) {
    return Failure(
        Kind::index_not_ready,
        "The index AWS_Things is being built; try again when DescribeIndex says ACTIVE.");
  }
  return *std::move(what);
}

// A thing whose record nobody has written is not connected, and has no posting that says so.
bool has_postings(const Query& leaf) {
  const std::string_view field = leaf.field;
  if (field == "registry.version" || field == "connectivity.timestamp") return false;
  if (field == "connectivity.connected")
    return leaf.kind == Query::Kind::term && leaf.text == "true";
  if (field.empty()) return leaf.text != "false" && leaf.kind == Query::Kind::term;
  if (!field.starts_with("shadow.")) return true;
  std::string_view rest = field.substr(7);
  if (rest.starts_with("name.")) rest = rest.substr(rest.find('.', 5) + 1);
  return rest == "hasDelta" || rest.starts_with("desired.") || rest.starts_with("reported.");
}

// The fields of all postings: behind the last posting of one is the first of the next.
std::optional<std::vector<std::string>> fields_of(const store::Store& store) {
  std::vector<std::string> fields;
  index::Range left = index::postings_of_fields("");
  while (fields.size() <= limits::search_fields_max) {
    std::optional<index::Posting> first;
    const auto scanned =
        store.scan(left.begin, left.end, [&](std::string_view key, std::string_view) {
          first = index::read_posting(key);
          return false;
        });
    if (!scanned) return std::nullopt;  // everything is looked at, and fails
    if (!first) return fields;
    left.begin = index::postings_of(first->field).behind();
    fields.push_back(std::move(first->field));
  }
  return std::nullopt;
}

}  // namespace

Reply<Nothing> check_field(const Configuration& what, std::string_view field) {
  constexpr std::string_view attributes = "attributes.", shadow = "shadow.";
  if (field == "thingName" || field == "thingId" || field == "thingTypeName" ||
      field == "thingGroupNames" || field == "registry.version" ||
      (field.starts_with(attributes) && field.size() > attributes.size())) {
    return Nothing{};
  }
  if (field.starts_with(shadow)) return check_shadow_field(what, field, field.substr(7));
  if (field == "connectivity.connected" || field == "connectivity.timestamp" ||
      field == "connectivity.disconnectReason") {
    if (what.connectivity) return Nothing{};
    return not_indexed(field, "connectivity is", "thingConnectivityIndexingMode STATUS");
  }
  return no_field(field);
}

Reply<Question> ask_things(const registry::Registry& registry, std::string_view query) {
  auto what = ready_configuration(registry);
  if (!what) return what.error();
  auto read = read_about_things(*what, query);
  if (!read) return read.error();
  auto groups = dynamic_groups(registry, *what);
  if (!groups) return groups.error();
  expand(*read, *groups);
  return Question{*std::move(what), *std::move(read), *std::move(groups)};
}

Reply<Question> ask_groups(const registry::Registry& registry, std::string_view query) {
  auto what = index::load_configuration(registry.store);
  if (!what) return Failure(what.error());
  if (!what->groups) {
    return registry::not_found(
        "Index AWS_ThingGroups does not exist: thing groups are not indexed. "
        "UpdateIndexingConfiguration with thingGroupIndexingMode ON switches it on.");
  }
  auto parsed = read(query);
  if (!parsed) return parsed.error();
  auto checked = check_fields(*parsed, [](const std::string& field) -> Reply<Nothing> {
    if (is_group_field(field)) return Nothing{};
    return invalid_query("Unknown field '" + field +
                         "': fields of thing groups are thingGroupName, thingGroupId, "
                         "thingGroupDescription, parentGroupNames, attributes.NAME.");
  });
  if (!checked) return checked.error();
  return Question{*std::move(what), *std::move(parsed), {}};
}

Reply<Nothing> check_query(const registry::Registry& registry, std::string_view query) {
  auto what = index::load_configuration(registry.store);
  if (!what) return Failure(what.error());
  if (!what->registry) {
    return invalid_query(
        "A dynamic thing group needs things to be indexed: UpdateIndexingConfiguration with "
        "thingIndexingMode REGISTRY or REGISTRY_AND_SHADOW.");
  }
  auto read = read_about_things(*what, query);
  if (!read) return read.error();
  return Nothing{};
}

index::Plan plan_of(const registry::Registry& registry, const Question& question) {
  return index::plan(question.query, {has_postings, [&] { return fields_of(registry.store); }});
}

}  // namespace gnomon::fleet
