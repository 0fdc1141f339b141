#include "registry/memberships.h"

#include <algorithm>

#include "base/limits.h"
#include "registry/events.h"
#include "registry/group_records.h"
#include "registry/index_records.h"
#include "registry/membership_records.h"
#include "registry/steps.h"
#include "registry/thing_records.h"

namespace gnomon::registry {

namespace {

records::Key member_key(const stored::GroupRef& group, std::string_view thing_name) {
  return id_key(Table::group_member, group.id, thing_name);
}

// Memberships of a thing that is there, while a change works on them.
struct Member {
  Change& change;
  const std::string& name;
  const stored::Thing thing;
  const std::vector<stored::Membership> before;  // also those of groups that are gone
  std::vector<stored::Membership> groups;

  Reply<Nothing> join(const std::string& group_name);
  Reply<Nothing> leave(const std::string& group_name);
  void save();

 private:
  auto find(const std::string& group_name) {
    return std::ranges::find(groups, group_name,
                             [](const stored::Membership& in) { return in.group.name; });
  }
};

Reply<Member> load_member(Change& change, const std::string& thing_name) {
  auto thing = load_thing(change.records, thing_name);
  if (!thing) return no_thing(thing_name);
  return Member{change, thing_name, std::move(*thing),
                stored_memberships(change.records, thing_name),
                load_memberships(change.records, thing_name)};
}

Reply<Nothing> Member::join(const std::string& group_name) {
  const auto group = load_group(change.records, group_name);
  if (!group) return no_group(group_name);
  if (is_dynamic(change.records, group_name)) return not_static(group_name);
  if (find(group_name) != groups.end()) return Nothing{};
  const std::string& root = root_of(*group);
  const auto same = std::ranges::find(groups, root, &stored::Membership::root_id);
  if (same != groups.end()) {
    return invalid("Thing " + name + " cannot be added to " + group_name +
                   ": it is already in thing group " + same->group.name +
                   " of the same hierarchy.");
  }
  if (groups.size() == limits::groups_of_thing_max) {
    return invalid("A thing can be in at most " + std::to_string(limits::groups_of_thing_max) +
                   " thing groups.");
  }
  groups.push_back({{group_name, group->id}, root});
  change.records.put(member_key(groups.back().group, name), "");
  announce_membership(change, true, groups.back().group, name, thing);
  return Nothing{};
}

Reply<Nothing> Member::leave(const std::string& group_name) {
  if (!load_group(change.records, group_name)) return no_group(group_name);
  if (is_dynamic(change.records, group_name)) return not_static(group_name);
  const auto found = find(group_name);
  if (found == groups.end()) return Nothing{};
  change.records.erase(member_key(found->group, name));
  announce_membership(change, false, found->group, name, thing);
  groups.erase(found);
  return Nothing{};
}

void Member::save() {
  const records::Key place = key(Table::membership, name);
  if (groups.empty()) {
    change.records.erase(place);
  } else {
    registry::save(change.records, place, stored::Memberships{groups});
  }
  index_groups(change.records, name, before, groups);
  change.touched.things.insert(name);
}

// The names of a request.
struct Pair {
  std::string thing, group;
};
Reply<Pair> names_of(const Registry& registry, const ThingInThingGroup& request) {
  const auto thing = name_of(registry, "thing/", request.thing_name, request.thing_arn);
  if (!thing) return thing.error();
  const auto group =
      name_of(registry, "thinggroup/", request.thing_group_name, request.thing_group_arn);
  if (!group) return group.error();
  return Pair{*thing, *group};
}

}  // namespace

std::vector<stored::Membership> stored_memberships(records::Transaction& records,
                                                   const std::string& thing_name) {
  return load<stored::Memberships>(records, key(Table::membership, thing_name))
      .value_or(stored::Memberships{})
      .groups;
}

std::vector<stored::Membership> load_memberships(records::Transaction& records,
                                                 const std::string& thing_name) {
  auto groups = stored_memberships(records, thing_name);
  std::erase_if(groups, [&](const stored::Membership& in) {
    const auto group = load_group(records, in.group.name);
    return !group || group->id != in.group.id;
  });
  return groups;
}

void leave_all_groups(Change& change, const std::string& thing_name, const stored::Thing& thing) {
  for (const stored::Membership& in : load_memberships(change.records, thing_name)) {
    change.records.erase(member_key(in.group, thing_name));
    announce_membership(change, false, in.group, thing_name, thing);
  }
  index_groups(change.records, thing_name, stored_memberships(change.records, thing_name), {});
  change.records.erase(key(Table::membership, thing_name));
}

Written<Nothing> add_thing_to_thing_group(Registry& registry, const ThingInThingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    const auto names = names_of(registry, request);
    if (!names) return names.error();
    auto member = load_member(change, names->thing);
    if (!member) return member.error();
    if (auto joined = member->join(names->group); !joined) return joined;
    member->save();
    return Nothing{};
  });
}

Written<Nothing> remove_thing_from_thing_group(Registry& registry,
                                               const ThingInThingGroup& request) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    change.records.always();
    const auto names = names_of(registry, request);
    if (!names) return names.error();
    auto member = load_member(change, names->thing);
    if (!member) return member.error();
    if (auto left = member->leave(names->group); !left) return left;
    member->save();
    return Nothing{};
  });
}

Reply<Nothing> update_thing_groups_for_thing(Change& change,
                                             const UpdateThingGroupsForThing& request) {
  auto member = load_member(change, request.thing_name);
  if (!member) return member.error();
  for (const std::string& group : request.thing_groups_to_remove)
    if (auto left = member->leave(group); !left) return left;
  for (const std::string& group : request.thing_groups_to_add)
    if (auto joined = member->join(group); !joined) return joined;
  member->save();
  return Nothing{};
}

Written<Nothing> update_thing_groups_for_thing(Registry& registry,
                                               const UpdateThingGroupsForThing& request) {
  return change(registry,
                [&](Change& change) { return update_thing_groups_for_thing(change, request); });
}

namespace {

// A member of a group. Neither name has a blank.
struct Place {
  std::string group, thing;
  [[nodiscard]] std::string text() const { return group + ' ' + thing; }
};

// Walks the members of a group, and of those below it.
class MembersWalk {
 public:
  MembersWalk(records::Transaction& records, stored::GroupRef top, bool recursive)
      : records_(records), top_(std::move(top)), recursive_(recursive), at_{top_.name, ""} {}

  // It goes on behind this place.
  void go_to(std::string_view place) {
    const auto blank = place.find(' ');
    at_ = {std::string(place.substr(0, blank)),
           blank == std::string_view::npos ? "" : std::string(place.substr(blank + 1))};
  }
  [[nodiscard]] const Place& at() const { return at_; }

  // Appends places until there are `most`; false: it ends before.
  bool fill(std::vector<Place>& places, std::size_t most) {
    for (std::size_t seen = 0; seen < limits::page_examined_max; ++seen) {
      const auto group = load_group(records_, at_.group);
      if (!group) return false;
      take(group->id, places, most);
      if (places.size() == most) return true;
      std::string next = recursive_ ? next_group(records_, top_, at_.group) : "";
      if (next.empty()) return false;
      at_ = {std::move(next), ""};
    }
    return true;
  }

 private:
  void take(std::string_view id, std::vector<Place>& places, std::size_t most) {
    const records::Key prefix = id_key(Table::group_member, id, "");
    std::string begin(records::Key(prefix).last(at_.thing).view());
    if (!at_.thing.empty()) begin += '\0';
    records_.scan(begin, prefix.behind(), [&](std::string_view key, std::string_view) {
      at_.thing = key.substr(prefix.view().size());
      places.push_back(at_);
      return places.size() < most;
    });
  }

  records::Transaction& records_;
  const stored::GroupRef top_;
  const bool recursive_;
  Place at_;
};

// A page of at most `limit` names. One more is looked for, to know whether another page follows.
Page<std::string> page_of(MembersWalk& walk, std::size_t limit, std::string_view listing) {
  std::vector<Place> places;
  Page<std::string> page;
  if (walk.fill(places, limit + 1)) {
    const bool full = places.size() > limit;
    if (full) places.pop_back();
    page.next_token = token_of(listing, full ? places.back().text() : walk.at().text());
  }
  for (Place& place : places) page.items.push_back(std::move(place.thing));
  return page;
}

}  // namespace

Reply<Page<std::string>> list_things_in_thing_group(const Registry& registry,
                                                    const ListThingsInThingGroup& request) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<std::string>> {
        const auto group = load_group(records, request.thing_group_name);
        if (!group) return no_group(request.thing_group_name);
        const std::string listing =
            "things in " + request.thing_group_name + (request.recursive ? " and below" : "");
        const auto limit = limit_of(request.page);
        if (!limit) return limit.error();
        const auto place = place_of(listing, request.page);
        if (!place) return place.error();
        MembersWalk walk(records, {request.thing_group_name, group->id}, request.recursive);
        if (!place->empty()) walk.go_to(*place);
        return page_of(walk, *limit, listing);
      });
}

Reply<Page<GroupNameAndArn>> list_thing_groups_for_thing(const Registry& registry,
                                                         const std::string& thing_name,
                                                         const PageRequest& page,
                                                         const std::vector<std::string>& dynamic) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<GroupNameAndArn>> {
        if (!load_thing(records, thing_name)) return no_thing(thing_name);
        std::vector<std::string> names;
        for (stored::Membership& in : load_memberships(records, thing_name))
          names.push_back(std::move(in.group.name));
        for (const std::string& name : dynamic)
          if (names.size() < limits::groups_of_thing_max) names.push_back(name);
        return convert<GroupNameAndArn>(
            cut(std::move(names), "groups of " + thing_name, page), [&](std::string& name) {
              std::string arn = registry::arn(registry, group_resource(name));
              return GroupNameAndArn{std::move(name), std::move(arn)};
            });
      });
}

}  // namespace gnomon::registry
