#include "fleet/search.h"

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "base/limits.h"
#include "fleet/question.h"
#include "fleet/thing.h"
#include "fleet/walk.h"
#include "shadow/indexing.h"

namespace gnomon::fleet {

namespace {

using registry::Failure;
using registry::Page;
using registry::Reply;

// The size of a page and where it begins.
struct Place {
  std::size_t limit = 0;
  std::string after;
};
std::string listing_of(std::string_view index, const Search& search) {
  return std::string(index) + ' ' + search.query;
}
Reply<Place> place_of(std::string_view index, const Search& search) {
  if (search.limit > limits::search_page_max) {
    return registry::invalid("maxResults can be at most " +
                             std::to_string(limits::search_page_max) + ".");
  }
  auto after = registry::place_of(listing_of(index, search), {0, search.token});
  if (!after) return after.error();
  return Place{search.limit == 0 ? limits::search_page_default : search.limit, *std::move(after)};
}

void append_trees(std::string& out, const shadow::Document& document, auto&& append) {
  out += '{';
  const std::size_t begin = out.size();
  shadow::each_section(document, [&](std::string_view name, const shadow::Field& section) {
    if (section.members.empty()) return;
    if (out.size() > begin) out += ',';
    append_json(out, name);
    out += ':';
    append(section);
  });
}

// Without the last brace.
void append_shadow(std::string& out, const shadow::Document& document) {
  const std::size_t begin = out.size();
  append_trees(out, document, [&](const auto& section) { write_state(section, out); });
  if (out.size() > begin + 1) out += ',';
  out += R"("metadata":)";
  append_trees(out, document, [&](const auto& section) { write_metadata(section, out); });
  out += R"(},"version":)" + std::to_string(document.version) + R"(,"hasDelta":)" +
         (shadow::has_delta(document) ? "true" : "false");
}

std::string shadow_text(const Thing& thing, const index::Configuration& what) {
  std::string out;
  if (const auto* classic = thing.shadow("")) append_shadow(out, *classic);
  bool any = false;
  for (const std::string& name : what.shadow_names) {
    const auto* named = thing.shadow(name);
    if (named == nullptr) continue;
    if (any) {
      out += ',';
    } else {
      (out += out.empty() ? '{' : ',') += R"("name":{)";
    }
    any = true;
    append_json(out, name);
    out += ':';
    append_shadow(out, *named);
    out += '}';
  }
  if (any) out += '}';
  if (!out.empty()) out += '}';
  return out;
}

FoundThing found(const Thing& thing, const Question& question) {
  FoundThing made{thing.name(), thing.registered(), shadow_text(thing, question.what),
                  thing.connectivity()};
  for (const Dynamic& each : question.dynamic) {
    if (made.thing.groups.size() == limits::groups_of_thing_max) break;
    if (index::matches(each.query, thing)) made.thing.groups.push_back(each.group.name);
  }
  return made;
}

// IndexedGroup as a subject.
class Group final : public index::Subject {
 public:
  explicit Group(const registry::IndexedGroup& group) : group_(group) {}

  void each(std::string_view field, const Visit& visit) const override {
    using index::text_value;
    const auto meant = [&](std::string_view name) { return field.empty() || field == name; };
    if (meant("thingGroupName") && visit(text_value(group_.name))) return;
    if (meant("thingGroupId") && visit(text_value(group_.group_id))) return;
    if (meant("thingGroupDescription") && !group_.description.empty() &&
        visit(text_value(group_.description))) {
      return;
    }
    for (const std::string& parent : group_.parents)
      if (meant("parentGroupNames") && visit(text_value(parent))) return;
    for (const auto& [name, value] : group_.attributes) {
      if (!meant("attributes." + name)) continue;
      if (visit(text_value(value))) return;
      const auto number = index::number_of(value);
      if (number && visit(index::number_value(*number))) return;
    }
  }

 private:
  const registry::IndexedGroup& group_;
};

}  // namespace

Reply<Page<FoundThing>> search_things(const registry::Registry& registry, const Search& search) {
  const auto question = ask_things(registry, search.query);
  if (!question) return question.error();
  auto place = place_of(things_index, search);
  if (!place) return place.error();
  Things things(registry, question->what);
  Walk walk(registry.store, plan_of(registry, *question));
  Page<FoundThing> page;
  std::string& at = place->after;
  for (std::size_t seen = 0; seen < limits::search_examined_max; ++seen) {
    auto name = walk.next(at);
    if (walk.failure()) return Failure(*walk.failure());
    if (!name) return page;
    const auto thing = things.find(*name);
    if (!thing) return thing.error();
    if (*thing != nullptr && index::matches(question->query, **thing)) {
      if (page.items.size() == place->limit) break;  // it is for the next page
      page.items.push_back(found(**thing, *question));
    }
    if (*thing != nullptr && (*thing)->failure()) return Failure(*(*thing)->failure());
    at = *std::move(name);
  }
  page.next_token = registry::token_of(listing_of(things_index, search), at);
  return page;
}

Reply<Page<registry::IndexedGroup>> search_groups(const registry::Registry& registry,
                                                  const Search& search) {
  const auto question = ask_groups(registry, search.query);
  if (!question) return question.error();
  auto place = place_of(groups_index, search);
  if (!place) return place.error();
  Page<registry::IndexedGroup> page;
  std::string& at = place->after;
  for (std::size_t seen = 0; seen < limits::search_examined_max; seen += limits::index_slice) {
    auto groups = registry::indexed_groups(registry, at, limits::index_slice);
    if (!groups) return groups.error();
    if (groups->empty()) return page;
    for (registry::IndexedGroup& group : *groups) {
      std::string name = group.name;
      if (index::matches(question->query, Group(group))) {
        if (page.items.size() == place->limit) {
          page.next_token = registry::token_of(listing_of(groups_index, search), at);
          return page;
        }
        page.items.push_back(std::move(group));
      }
      at = std::move(name);
    }
  }
  page.next_token = registry::token_of(listing_of(groups_index, search), at);
  return page;
}

Reply<index::Connectivity> connectivity_of(const registry::Registry& registry,
                                           const std::string& thing) {
  const auto what = index::load_configuration(registry.store);
  if (!what) return Failure(what.error());
  if (!what->registry || !what->connectivity || what->building) {
    return Failure(registry::Kind::index_not_ready,
                   "The connectivity of things is not indexed, or not yet: "
                   "UpdateIndexingConfiguration with thingConnectivityIndexingMode STATUS switches "
                   "it on.");
  }
  const auto there = registry::has_thing(registry.store, thing);
  if (!there) return Failure(there.error());
  if (!*there) return registry::not_found("Thing " + thing + " cannot be found.");
  const auto read = index::load_connectivity(registry.store, thing);
  if (!read) return Failure(read.error());
  return read->value_or(index::Connectivity{});
}

Reply<std::vector<std::string>> dynamic_groups_of(const registry::Registry& registry,
                                                  const std::string& thing) {
  std::vector<std::string> names;
  const auto groups = registry::dynamic_groups(registry);
  if (!groups) return groups.error();
  if (groups->empty()) return names;
  const auto question = ask_things(registry, "*");
  if (!question) return names;  // nobody knows what is in them
  Things things(registry, question->what);
  const auto read = things.find(thing);
  if (!read) return read.error();
  if (*read == nullptr) return names;
  for (const Dynamic& each : question->dynamic)
    if (index::matches(each.query, **read)) names.push_back(each.group.name);
  if ((*read)->failure()) return Failure(*(*read)->failure());
  return names;
}

}  // namespace gnomon::fleet
