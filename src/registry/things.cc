#include "registry/things.h"

#include "base/limits.h"
#include "registry/events.h"
#include "registry/membership_records.h"
#include "registry/steps.h"
#include "registry/thing_records.h"

namespace gnomon::registry {

namespace {

std::string arn_of(const Registry& registry, std::string_view name) {
  return arn(registry, std::string("thing/").append(name));
}

void apply(const std::optional<AttributePayload>& payload, Attributes& attributes) {
  if (!payload) return;
  if (!payload->merge) attributes.clear();
  for (const auto& [name, value] : payload->attributes) attributes[name] = value;
  std::erase_if(attributes, [](const auto& attribute) { return attribute.second.empty(); });
}

Reply<Nothing> check_attributes(const stored::Thing& thing) {
  const bool typed = !thing.type.empty();
  const std::size_t most = typed ? limits::attributes_max : limits::attributes_without_type_max;
  if (thing.attributes.size() <= most) return Nothing{};
  return invalid("A thing " + std::string(typed ? "with" : "without") +
                 " a thing type can have at most " + std::to_string(most) + " attributes.");
}

// Gives the thing a type. The type's record is a condition: one that is deprecated meanwhile is
// seen, and then none comes to it any more.
Reply<Nothing> set_type(Change& change, const std::string& name, stored::Thing& thing) {
  if (thing.type == name) return Nothing{};
  const auto type = load<stored::ThingType>(change.records, key(Table::thing_type, name));
  if (!type) return not_found("Thing type " + name + " cannot be found.");
  if (type->deprecated.ms != 0)
    return invalid("Can not create new thing with deprecated thing type:" + name);
  thing.type = name;
  return Nothing{};
}

// The thing as the request describes it, without id.
Reply<stored::Thing> make_thing(Change& change, const CreateThing& request) {
  stored::Thing thing;
  apply(request.attribute_payload, thing.attributes);
  if (!request.billing_group_name.empty()) {
    const auto group = load<stored::BillingGroup>(
        change.records, key(Table::billing_group, request.billing_group_name));
    if (!group)
      return not_found("Billing group " + request.billing_group_name + " cannot be found.");
    thing.billing_group = request.billing_group_name;
    thing.billing_group_id = group->id;
  }
  return thing;
}

bool same(const stored::Thing& thing, const stored::Thing& wanted, const std::string& type) {
  return thing.type == type && thing.attributes == wanted.attributes &&
         thing.billing_group_id == wanted.billing_group_id;
}

}  // namespace

std::optional<ThingState> find_thing(Change& change, const std::string& thing_name) {
  const auto thing = load_thing(change.records, thing_name);
  if (!thing) return std::nullopt;
  ThingState state{thing->type, {}};
  for (const stored::Membership& in : load_memberships(change.records, thing_name))
    state.thing_groups.push_back(in.group.name);
  return state;
}

Reply<CreatedThing> create_thing(Change& change, const CreateThing& request) {
  const std::string& name = request.thing_name;
  const std::string arn = arn_of(change.registry, name);
  auto wanted = make_thing(change, request);
  if (!wanted) return wanted.error();
  if (const auto thing = load_thing(change.records, name)) {
    if (same(*thing, *wanted, request.thing_type_name))
      return CreatedThing{name, arn, uuid(thing->id)};
    return already_exists("Thing " + name + " already exists in account with different attributes.",
                          name, arn);
  }
  if (!request.thing_type_name.empty()) {
    if (auto typed = set_type(change, request.thing_type_name, *wanted); !typed)
      return typed.error();
  }
  if (auto checked = check_attributes(*wanted); !checked) return checked.error();
  wanted->id = change.new_id();
  save_thing(change.records, name, std::nullopt, *wanted);
  announce_thing(change, Operation::created, name, *wanted);
  if (!wanted->type.empty()) announce_type_association(change, true, name, *wanted, wanted->type);
  return CreatedThing{name, arn, uuid(wanted->id)};
}

Written<CreatedThing> create_thing(Registry& registry, const CreateThing& request) {
  return change(registry, [&](Change& change) { return create_thing(change, request); });
}

Reply<ThingDescription> describe_thing(const Registry& registry, std::string_view thing_name) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<ThingDescription> {
                         auto thing = load_thing(records, thing_name);
                         if (!thing) return no_thing(thing_name);
                         ThingDescription answer;
                         answer.thing_name = answer.default_client_id = thing_name;
                         answer.thing_id = uuid(thing->id);
                         answer.thing_arn = arn_of(registry, thing_name);
                         answer.billing_group_name = billing_group_of(records, *thing);
                         answer.thing_type_name = std::move(thing->type);
                         answer.attributes = std::move(thing->attributes);
                         answer.version = thing->version;
                         return answer;
                       });
}

Reply<Nothing> update_thing(Change& change, const UpdateThing& request) {
  const std::string& name = request.thing_name;
  const auto old = load_thing(change.records, name);
  if (!old) return no_thing(name);
  if (request.expected_version.value_or(old->version) != old->version)
    return wrong_version("thing " + name);
  if (request.remove_thing_type && !request.thing_type_name.empty())
    return invalid("A thing type cannot be set and removed at once.");
  stored::Thing thing = *old;
  if (request.remove_thing_type) thing.type.clear();
  if (!request.thing_type_name.empty()) {
    if (auto typed = set_type(change, request.thing_type_name, thing); !typed) return typed.error();
  }
  apply(request.attribute_payload, thing.attributes);
  if (auto checked = check_attributes(thing); !checked) return checked.error();
  ++thing.version;
  save_thing(change.records, name, old, thing);
  change.touched.things.insert(name);
  announce_thing(change, Operation::updated, name, thing);
  if (old->type == thing.type) return Nothing{};
  if (!old->type.empty()) announce_type_association(change, false, name, thing, old->type);
  if (!thing.type.empty()) announce_type_association(change, true, name, thing, thing.type);
  return Nothing{};
}

Written<Nothing> update_thing(Registry& registry, const UpdateThing& request) {
  return change(registry, [&](Change& change) { return update_thing(change, request); });
}

Written<Nothing> delete_thing(Registry& registry, const std::string& thing_name,
                              std::optional<std::uint64_t> expected_version) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    const auto thing = load_thing(change.records, thing_name);
    if (!thing) return Nothing{};
    if (expected_version.value_or(thing->version) != thing->version)
      return wrong_version("thing " + thing_name);
    if (thing->principals > 0) {
      return invalid("Cannot delete. Thing " + thing_name +
                     " is still attached to one or more principals");
    }
    if (!thing->type.empty())
      announce_type_association(change, false, thing_name, *thing, thing->type);
    leave_all_groups(change, thing_name, *thing);
    erase_thing(change.records, thing_name, *thing);
    announce_thing(change, Operation::deleted, thing_name, *thing);
    return Nothing{};
  });
}

}  // namespace gnomon::registry
