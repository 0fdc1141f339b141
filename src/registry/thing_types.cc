#include "registry/thing_types.h"

#include "base/limits.h"
#include "registry/events.h"
#include "registry/tables.h"
#include "registry/tag_records.h"

namespace gnomon::registry {

namespace {

std::string resource(std::string_view name) { return std::string("thingtype/").append(name); }

Failure no_type(std::string_view name) {
  return not_found("Thing type " + std::string(name) + " cannot be found.");
}

std::optional<stored::ThingType> load_type(records::Transaction& records, std::string_view name) {
  return load<stored::ThingType>(records, key(Table::thing_type, name));
}

// Sets what is given.
Reply<Nothing> apply(const ThingTypeProperties& properties, stored::ThingType& type) {
  if (properties.has_mqtt5_configuration)
    return invalid("mqtt5Configuration of thing types is not supported by this server.");
  if (properties.thing_type_description) type.description = *properties.thing_type_description;
  if (!properties.searchable_attributes) return Nothing{};
  if (properties.searchable_attributes->size() > limits::searchable_attributes_max) {
    return invalid("A thing type can have at most " +
                   std::to_string(limits::searchable_attributes_max) + " searchable attributes.");
  }
  type.searchable = *properties.searchable_attributes;
  return Nothing{};
}

ThingTypeDefinition to_definition(const Registry& registry, std::string_view name,
                                  const stored::ThingType& type) {
  ThingTypeDefinition definition;
  definition.thing_type_name = name;
  definition.thing_type_arn = arn(registry, resource(name));
  definition.thing_type_id = uuid(type.id);
  if (!type.description.empty())
    definition.thing_type_properties.thing_type_description = type.description;
  definition.thing_type_properties.searchable_attributes = type.searchable;
  definition.thing_type_metadata = {type.deprecated.ms != 0, type.deprecated, type.created};
  return definition;
}

bool in_use(records::Transaction& records, std::string_view name) {
  const records::Key prefix = key(Table::thing_by_type).text(name);
  bool found = false;
  records.scan(prefix, prefix.behind(), [&](auto, auto) {
    found = true;
    return false;
  });
  return found;
}

}  // namespace

Written<CreatedThingType> create_thing_type(Registry& registry, const CreateThingType& request) {
  return change(registry, [&](Change& change) -> Reply<CreatedThingType> {
    const std::string& name = request.thing_type_name;
    const std::string arn = change.arn(resource(name));
    stored::ThingType wanted;
    if (auto applied = apply(request.thing_type_properties, wanted); !applied)
      return applied.error();
    if (const auto type = load_type(change.records, name)) {
      if (type->description == wanted.description && type->searchable == wanted.searchable)
        return CreatedThingType{name, arn, uuid(type->id)};
      return already_exists(
          "Thing type " + name + " already exists in account with different properties.", name,
          arn);
    }
    wanted.id = change.new_id();
    wanted.created = change.now;
    if (auto tagged = save_tags(change.records, resource(name), request.tags); !tagged)
      return tagged.error();
    save(change.records, key(Table::thing_type, name), wanted);
    announce_type(change, Operation::created, name, wanted);
    return CreatedThingType{name, arn, uuid(wanted.id)};
  });
}

Reply<ThingTypeDefinition> describe_thing_type(const Registry& registry, std::string_view name) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<ThingTypeDefinition> {
                         const auto type = load_type(records, name);
                         if (!type) return no_type(name);
                         return to_definition(registry, name, *type);
                       });
}

Written<Nothing> update_thing_type(Registry& registry, const std::string& name,
                                   const ThingTypeProperties& properties) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    auto type = load_type(change.records, name);
    if (!type) return no_type(name);
    if (auto applied = apply(properties, *type); !applied) return applied.error();
    save(change.records, key(Table::thing_type, name), *type);
    announce_type(change, Operation::updated, name, *type);
    return Nothing{};
  });
}

Written<Nothing> deprecate_thing_type(Registry& registry, const std::string& name, bool undo) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    auto type = load_type(change.records, name);
    if (!type) return no_type(name);
    if ((type->deprecated.ms == 0) == undo) return Nothing{};
    type->deprecated = undo ? WallTime{} : change.now;
    save(change.records, key(Table::thing_type, name), *type);
    announce_type(change, Operation::updated, name, *type);
    return Nothing{};
  });
}

// Nobody can begin to use it meanwhile: it is deprecated, and that is a condition of this change.
Written<Nothing> delete_thing_type(Registry& registry, const std::string& name) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    const auto type = load_type(change.records, name);
    if (!type) return no_type(name);
    if (type->deprecated.ms == 0)
      return invalid("Thing type " + name + " must be deprecated before it can be deleted.");
    if (change.now < type->deprecated + limits::type_deprecated_least) {
      return invalid("Thing type " + name +
                     " was deprecated less than 5 minutes ago. Wait 5 minutes after deprecation, "
                     "then try again.");
    }
    if (in_use(change.records, name)) {
      return invalid("Cannot delete thing type " + name +
                     " because there are still things associated with it.");
    }
    change.records.erase(key(Table::thing_type, name));
    erase_tags(change.records, resource(name));
    announce_type(change, Operation::deleted, name, *type);
    return Nothing{};
  });
}

Reply<Page<ThingTypeDefinition>> list_thing_types(const Registry& registry, std::string_view name,
                                                  const PageRequest& page) {
  return records::read(
      registry.store, [&](records::Transaction& records) -> Reply<Page<ThingTypeDefinition>> {
        Listing listing{"thing types", key(Table::thing_type)};
        listing.from = name;
        if (!name.empty()) listing.keep = [&](const Entry& entry) { return entry.rest == name; };
        return convert<ThingTypeDefinition>(list(records, listing, page), [&](const Entry& entry) {
          return to_definition(registry, entry.rest,
                               decode<stored::ThingType>(records, entry.value));
        });
      });
}

}  // namespace gnomon::registry
