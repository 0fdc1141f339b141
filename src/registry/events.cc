#include "registry/events.h"

#include <boost/json.hpp>

#include "crypto/hash.h"
#include "json/json.h"

namespace gnomon::registry {

namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

boost::json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

std::string_view upper(Operation operation) {
  switch (operation) {
    case Operation::created:
      return "CREATED";
    case Operation::updated:
      return "UPDATED";
    case Operation::deleted:
      break;
  }
  return "DELETED";
}

std::string_view lower(Operation operation) {
  switch (operation) {
    case Operation::created:
      return "created";
    case Operation::updated:
      return "updated";
    case Operation::deleted:
      break;
  }
  return "deleted";
}

value text_or_null(std::string_view text) {
  return text.empty() ? value(nullptr) : value(view(text));
}

object to_json(const Attributes& attributes) {
  object out;
  for (const auto& [name, text] : attributes) out[name] = text;
  return out;
}

// What every event begins with.
object begin(const Change& change, std::string_view type, std::string_view operation) {
  object event;
  event["eventType"] = view(type);
  event["eventId"] = uuid(change.new_id());
  event["timestamp"] = change.now.ms;
  event["operation"] = view(operation);
  event["accountId"] = change.registry.account;
  return event;
}

Event finish(std::string topic, const object& event) {
  return {"$aws/events/" + std::move(topic), json::write(event)};
}

std::string group_arn(const Change& change, std::string_view name) {
  return change.arn(std::string("thinggroup/").append(name));
}

}  // namespace

void announce_thing(Change& change, Operation operation, std::string_view name,
                    const stored::Thing& thing) {
  change.announce(EventType::thing, [&] {
    object event = begin(change, "THING_EVENT", upper(operation));
    event["thingId"] = uuid(thing.id);
    event["thingName"] = view(name);
    event["versionNumber"] = thing.version;
    event["thingTypeName"] = text_or_null(thing.type);
    event["attributes"] = to_json(thing.attributes);
    return finish("thing/" + std::string(name) + '/' + std::string(lower(operation)), event);
  });
}

void announce_type(Change& change, Operation operation, std::string_view name,
                   const stored::ThingType& type) {
  change.announce(EventType::thing_type, [&] {
    object event = begin(change, "THING_TYPE_EVENT", upper(operation));
    event["thingTypeId"] = uuid(type.id);
    event["thingTypeName"] = view(name);
    event["isDeprecated"] = type.deprecated.ms != 0;
    event["deprecationDate"] = type.deprecated.ms == 0 ? value(nullptr) : value(type.deprecated.ms);
    event["searchableAttributes"] = array(type.searchable.begin(), type.searchable.end());
    event["description"] = text_or_null(type.description);
    return finish("thingType/" + std::string(name) + '/' + std::string(lower(operation)), event);
  });
}

void announce_group(Change& change, Operation operation, std::string_view name,
                    const stored::Group& group) {
  change.announce(EventType::thing_group, [&] {
    object event = begin(change, "THING_GROUP_EVENT", upper(operation));
    event["thingGroupId"] = uuid(group.id);
    event["thingGroupName"] = view(name);
    event["versionNumber"] = group.version;
    const bool root = group.ancestors.empty();
    event["parentGroupName"] = root ? value(nullptr) : value(group.ancestors.back().name);
    event["parentGroupId"] = root ? value(nullptr) : value(uuid(group.ancestors.back().id));
    event["description"] = text_or_null(group.description);
    array path;
    for (const stored::GroupRef& ancestor : group.ancestors) {
      path.push_back(
          object{{"groupArn", group_arn(change, ancestor.name)}, {"groupId", uuid(ancestor.id)}});
    }
    event["rootToParentThingGroups"] = std::move(path);
    event["attributes"] = to_json(group.attributes);
    event["dynamicGroupMappingId"] = nullptr;
    return finish("thingGroup/" + std::string(name) + '/' + std::string(lower(operation)), event);
  });
}

void announce_type_association(Change& change, bool added, std::string_view name,
                               const stored::Thing& thing, std::string_view type) {
  change.announce(EventType::thing_type_association, [&] {
    object event = begin(change, "THING_TYPE_ASSOCIATION_EVENT", added ? "ADDED" : "REMOVED");
    event["thingId"] = uuid(thing.id);
    event["thingName"] = view(name);
    event["thingTypeName"] = view(type);
    return finish("thingTypeAssociation/thing/" + std::string(name) + "/thingType/" +
                      std::string(type) + (added ? "/added" : "/removed"),
                  event);
  });
}

void announce_membership(Change& change, bool added, const stored::GroupRef& group,
                         std::string_view thing_name, const stored::Thing& thing) {
  change.announce(EventType::thing_group_membership, [&] {
    object event = begin(change, "THING_GROUP_MEMBERSHIP_EVENT", added ? "ADDED" : "REMOVED");
    event["groupArn"] = group_arn(change, group.name);
    event["groupId"] = uuid(group.id);
    event["thingArn"] = change.arn(std::string("thing/").append(thing_name));
    event["thingId"] = uuid(thing.id);
    // The same for the removal as for the addition: it follows from both ids.
    event["membershipId"] = uuid(as_text(crypto::sha256(as_bytes(group.id + thing.id))));
    return finish("thingGroupMembership/thingGroup/" + group.name + "/thing/" +
                      std::string(thing_name) + (added ? "/added" : "/removed"),
                  event);
  });
}

void announce_hierarchy(Change& change, bool added, const stored::GroupRef& parent,
                        const stored::GroupRef& child) {
  change.announce(EventType::thing_group_hierarchy, [&] {
    object event = begin(change, "THING_GROUP_HIERARCHY_EVENT", added ? "ADDED" : "REMOVED");
    event["thingGroupId"] = uuid(parent.id);
    event["thingGroupName"] = parent.name;
    event["childGroupId"] = uuid(child.id);
    event["childGroupName"] = child.name;
    return finish("thingGroupHierarchy/thingGroup/" + parent.name + "/childThingGroup/" +
                      child.name + (added ? "/added" : "/removed"),
                  event);
  });
}

}  // namespace gnomon::registry
