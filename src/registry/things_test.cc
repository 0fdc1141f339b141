// Runs testdata/things.test, types.test, groups.test.
#include "registry/things.h"

#include "registry/billing_groups.h"
#include "registry/case_commands.h"
#include "registry/event_configurations.h"
#include "registry/memberships.h"
#include "registry/tags.h"
#include "registry/thing_groups.h"
#include "registry/thing_types.h"

namespace gnomon::registry {
namespace {

std::string or_none(const std::string& text) { return text.empty() ? "-" : text; }

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

std::optional<AttributePayload> payload(const Command& command) {
  if (command.attributes.empty() && !command.has("attributes")) return std::nullopt;
  return AttributePayload{command.attributes, command.has("merge")};
}

void add_thing_commands(World::Handlers& to) {
  to["create-thing"] = [](World& world, const Command& c) {
    const auto made = create_thing(world.registry,
                                   {c.word(0), c.option("type"), payload(c), c.option("billing")});
    if (world.done(made)) CHECK(made->value.thing_arn.ends_with(":thing/" + c.word(0)));
  };
  to["describe-thing"] = [](World& world, const Command& c) {
    const auto thing = describe_thing(world.registry, c.word(0));
    if (!world.done(thing)) return;
    CHECK(thing->default_client_id == c.word(0));
    CHECK(thing->thing_id.size() == 36);
    world.say(thing->thing_name + " version=" + std::to_string(thing->version) +
              " type=" + or_none(thing->thing_type_name) +
              " billing=" + or_none(thing->billing_group_name) + text_of(thing->attributes));
  };
  to["update-thing"] = [](World& world, const Command& c) {
    world.done(update_thing(world.registry, {c.word(0), c.option("type"), payload(c), c.version(),
                                             c.has("remove-type")}));
  };
  to["delete-thing"] = [](World& world, const Command& c) {
    world.done(delete_thing(world.registry, c.word(0), c.version()));
  };
  to["list-things"] = [](World& world, const Command& c) {
    world.list(list_things(world.registry, {c.option("name"), c.maybe("value"), c.has("prefix"),
                                            c.option("type"), world.page(c)}),
               [&](const ThingAttribute& thing) {
                 return thing.thing_name + " version=" + std::to_string(thing.version) +
                        " type=" + or_none(thing.thing_type_name) + text_of(thing.attributes);
               });
  };
}

ThingTypeProperties type_properties(const Command& c) {
  ThingTypeProperties properties;
  properties.thing_type_description = c.maybe("description");
  if (c.has("searchable")) properties.searchable_attributes = split(c.option("searchable"));
  properties.has_mqtt5_configuration = c.has("mqtt5");
  return properties;
}

std::string type_text(const ThingTypeDefinition& type) {
  std::string text = type.thing_type_name + " description=" +
                     or_none(type.thing_type_properties.thing_type_description.value_or("")) +
                     " searchable=";
  for (const std::string& name : *type.thing_type_properties.searchable_attributes)
    text += name + ',';
  CHECK(type.thing_type_arn.ends_with(":thingtype/" + type.thing_type_name));
  CHECK((type.thing_type_metadata.deprecation_date.ms != 0) == type.thing_type_metadata.deprecated);
  CHECK(type.thing_type_metadata.creation_date.ms != 0);
  return text + (type.thing_type_metadata.deprecated ? " deprecated" : "");
}

void add_type_commands(World::Handlers& to) {
  to["create-type"] = [](World& world, const Command& c) {
    world.done(create_thing_type(world.registry, {c.word(0), type_properties(c), c.attributes}));
  };
  to["describe-type"] = [](World& world, const Command& c) {
    const auto type = describe_thing_type(world.registry, c.word(0));
    if (world.done(type)) world.say(type_text(*type));
  };
  to["update-type"] = [](World& world, const Command& c) {
    world.done(update_thing_type(world.registry, c.word(0), type_properties(c)));
  };
  to["deprecate-type"] = [](World& world, const Command& c) {
    world.done(deprecate_thing_type(world.registry, c.word(0), c.has("undo")));
  };
  to["delete-type"] = [](World& world, const Command& c) {
    world.done(delete_thing_type(world.registry, c.word(0)));
  };
  to["list-types"] = [](World& world, const Command& c) {
    world.list(list_thing_types(world.registry, c.word(0), world.page(c)),
               [](const ThingTypeDefinition& type) { return type_text(type); });
  };
}

void add_group_commands(World::Handlers& to) {
  to["create-group"] = [](World& world, const Command& c) {
    world.done(create_thing_group(
        world.registry, {c.word(0), c.option("parent"), {c.maybe("description"), payload(c)}, {}}));
  };
  to["describe-group"] = [](World& world, const Command& c) {
    const auto group = describe_thing_group(world.registry, c.word(0));
    if (!world.done(group)) return;
    std::string path;
    for (const GroupNameAndArn& above : group->root_to_parent_thing_groups) {
      CHECK(above.group_arn.ends_with(":thinggroup/" + above.group_name));
      path += above.group_name + '/';
    }
    world.say(path + group->thing_group_name + " version=" + std::to_string(group->version) +
              " description=" + or_none(group->thing_group_description) +
              text_of(group->attributes));
    CHECK(path.ends_with(group->parent_group_name.empty() ? "" : group->parent_group_name + '/'));
  };
  to["update-group"] = [](World& world, const Command& c) {
    const auto version = update_thing_group(
        world.registry, {c.word(0), {c.maybe("description"), payload(c)}, c.version()});
    if (world.done(version)) world.say("version=" + std::to_string(version->value));
  };
  to["delete-group"] = [](World& world, const Command& c) {
    world.done(delete_thing_group(world.registry, c.word(0), c.version()));
  };
  to["list-groups"] = [](World& world, const Command& c) {
    ListThingGroups request{c.option("parent"), c.option("prefix"), std::nullopt, world.page(c)};
    if (c.has("recursive")) request.recursive = c.option("recursive") != "false";
    world.list(list_thing_groups(world.registry, request),
               [](const GroupNameAndArn& group) { return group.group_name; });
  };
  to["join"] = [](World& world, const Command& c) {
    world.done(add_thing_to_thing_group(
        world.registry, {c.word(1), c.option("group-arn"), c.word(0), c.option("thing-arn")}));
  };
  to["leave"] = [](World& world, const Command& c) {
    world.done(remove_thing_from_thing_group(world.registry, {c.word(1), "", c.word(0), ""}));
  };
  to["set-groups"] = [](World& world, const Command& c) {
    world.done(update_thing_groups_for_thing(
        world.registry, {c.word(0), split(c.option("add")), split(c.option("remove"))}));
  };
  to["list-members"] = [](World& world, const Command& c) {
    world.list(
        list_things_in_thing_group(world.registry, {c.word(0), c.has("recursive"), world.page(c)}),
        [](const std::string& name) { return name; });
  };
  to["list-groups-of"] = [](World& world, const Command& c) {
    world.list(list_thing_groups_for_thing(world.registry, c.word(0), world.page(c)),
               [](const GroupNameAndArn& group) { return group.group_name; });
  };
}

void add_billing_commands(World::Handlers& to) {
  to["create-billing"] = [](World& world, const Command& c) {
    world.done(create_billing_group(world.registry, {c.word(0), c.option("description"), {}}));
  };
  to["describe-billing"] = [](World& world, const Command& c) {
    const auto group = describe_billing_group(world.registry, c.word(0));
    if (world.done(group))
      world.say(group->billing_group_name + " version=" + std::to_string(group->version) +
                " description=" + or_none(group->billing_group_description));
  };
  to["update-billing"] = [](World& world, const Command& c) {
    const auto version =
        update_billing_group(world.registry, {c.word(0), c.maybe("description"), c.version()});
    if (world.done(version)) world.say("version=" + std::to_string(version->value));
  };
  to["delete-billing"] = [](World& world, const Command& c) {
    world.done(delete_billing_group(world.registry, c.word(0), c.version()));
  };
  to["list-billing"] = [](World& world, const Command& c) {
    world.list(list_billing_groups(world.registry, c.option("prefix"), world.page(c)),
               [](const GroupNameAndArn& group) { return group.group_name; });
  };
  to["bill"] = [](World& world, const Command& c) {
    world.done(add_thing_to_billing_group(
        world.registry, {c.word(1), c.option("group-arn"), c.word(0), c.option("thing-arn")}));
  };
  to["unbill"] = [](World& world, const Command& c) {
    world.done(remove_thing_from_billing_group(world.registry, {c.word(1), "", c.word(0), ""}));
  };
  to["list-billed"] = [](World& world, const Command& c) {
    world.list(list_things_in_billing_group(world.registry, c.word(0), world.page(c)),
               [](const std::string& name) { return name; });
  };
}

void add_other_commands(World::Handlers& to) {
  to["wait-minutes"] = [](World& world, const Command& c) {
    world.fixture.clock.advance(std::chrono::minutes(std::stoi(c.word(0))));
  };
  to["events"] = [](World& world, const Command& c) {
    std::map<EventType, bool> enabled;
    for (const std::string& name : c.words) {
      const auto type = event_type(name);
      REQUIRE_MESSAGE(type, name);
      enabled[*type] = !c.has("off");
    }
    world.done(update_event_configurations(world.registry, enabled));
  };
  to["describe-events"] = [](World& world, const Command&) {
    const auto configurations = describe_event_configurations(world.registry);
    if (!world.done(configurations)) return;
    CHECK(configurations->enabled.size() == event_types);
    std::string on;
    for (const auto& [type, enabled] : configurations->enabled)
      if (enabled) on += ' ' + std::string(to_string(type));
    world.say("enabled" + on);
  };
  to["tag"] = [](World& world, const Command& c) {
    world.done(tag_resource(world.registry, c.word(0), c.attributes));
  };
  to["untag"] = [](World& world, const Command& c) {
    world.done(untag_resource(world.registry, c.word(0), {c.words.begin() + 1, c.words.end()}));
  };
  to["list-tags"] = [](World& world, const Command& c) {
    const auto tags = list_tags_for_resource(world.registry, c.word(0));
    if (world.done(tags)) world.say("tags" + text_of(*tags));
  };
}

}  // namespace

World::Handlers thing_commands() {
  World::Handlers handlers;
  add_thing_commands(handlers);
  add_type_commands(handlers);
  add_group_commands(handlers);
  add_billing_commands(handlers);
  add_other_commands(handlers);
  return handlers;
}

TEST_CASE("things") { run_cases("testdata/things.test", thing_commands()); }
TEST_CASE("thing types") { run_cases("testdata/types.test", thing_commands()); }
TEST_CASE("thing groups and billing groups") {
  run_cases("testdata/groups.test", thing_commands());
}
TEST_CASE("tags and event configurations") { run_cases("testdata/tags.test", thing_commands()); }

}  // namespace gnomon::registry
