#include <regex>

#include <doctest/doctest.h>

#include "registry/event_configurations.h"
#include "registry/memberships.h"
#include "registry/registry_fixture.h"
#include "registry/thing_types.h"

namespace gnomon::registry {
namespace {

// The payloads of a change, with every id as ID.
template <class T>
std::string payloads(const Written<T>& written) {
  REQUIRE(written);
  std::string text;
  for (const Event& event : written->effects.events) text += event.payload + '\n';
  const std::regex id("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  return std::regex_replace(text, id, "ID");
}

// What all events have in front: their type and operation.
std::string head(const std::string& type, const std::string& operation) {
  return R"({"eventType":")" + type +
         R"(","eventId":"ID","timestamp":1700000000000,"operation":")" + operation +
         R"(","accountId":"123456789012",)";
}

struct World : Fixture {
  World() {
    std::map<EventType, bool> all;
    for (int i = 0; i < event_types; ++i)
      all[static_cast<EventType>(i)] = static_cast<EventType>(i) < EventType::job;
    REQUIRE(update_event_configurations(registry, all));
  }
};

TEST_CASE("events of things and types, as AWS IoT documents them") {
  World world;
  Registry& registry = world.registry;
  ThingTypeProperties properties;
  properties.searchable_attributes = {"a"};
  CHECK(payloads(create_thing_type(registry, {"bulb", properties, {}})) ==
        head("THING_TYPE_EVENT", "CREATED") +
            R"("thingTypeId":"ID","thingTypeName":"bulb","isDeprecated":false,)"
            R"("deprecationDate":null,"searchableAttributes":["a"],"description":null})"
            "\n");
  CHECK(payloads(create_thing(registry, {"lamp", "bulb", AttributePayload{{{"a", "1"}}}, ""})) ==
        head("THING_EVENT", "CREATED") +
            R"("thingId":"ID","thingName":"lamp","versionNumber":1,"thingTypeName":"bulb",)"
            R"("attributes":{"a":"1"}})"
            "\n" +
            head("THING_TYPE_ASSOCIATION_EVENT", "ADDED") +
            R"("thingId":"ID","thingName":"lamp","thingTypeName":"bulb"})"
            "\n");
  CHECK(payloads(deprecate_thing_type(registry, "bulb", false)) ==
        head("THING_TYPE_EVENT", "UPDATED") +
            R"("thingTypeId":"ID","thingTypeName":"bulb","isDeprecated":true,)"
            R"("deprecationDate":1700000000000,"searchableAttributes":["a"],"description":null})"
            "\n");
  CHECK(payloads(update_thing(registry, {"lamp", "", {}, {}, true})) ==
        head("THING_EVENT", "UPDATED") +
            R"("thingId":"ID","thingName":"lamp","versionNumber":2,"thingTypeName":null,)"
            R"("attributes":{"a":"1"}})"
            "\n" +
            head("THING_TYPE_ASSOCIATION_EVENT", "REMOVED") +
            R"("thingId":"ID","thingName":"lamp","thingTypeName":"bulb"})"
            "\n");
}

TEST_CASE("events of groups") {
  World world;
  Registry& registry = world.registry;
  REQUIRE(create_thing(registry, {"lamp", "", {}, ""}));
  REQUIRE(create_thing_group(registry, {"house", "", {}, {}}));
  CHECK(payloads(create_thing_group(
            registry, {"room", "house", {"warm", AttributePayload{{{"a", "1"}}}}, {}})) ==
        head("THING_GROUP_EVENT", "CREATED") +
            R"("thingGroupId":"ID","thingGroupName":"room","versionNumber":1,)"
            R"("parentGroupName":"house","parentGroupId":"ID","description":"warm",)"
            R"("rootToParentThingGroups":[{"groupArn":)"
            R"("arn:aws:iot:us-east-1:123456789012:thinggroup/house","groupId":"ID"}],)"
            R"("attributes":{"a":"1"},"dynamicGroupMappingId":null})"
            "\n" +
            head("THING_GROUP_HIERARCHY_EVENT", "ADDED") +
            R"("thingGroupId":"ID","thingGroupName":"house","childGroupId":"ID",)"
            R"("childGroupName":"room"})"
            "\n");
  const auto joined = add_thing_to_thing_group(registry, {"room", "", "lamp", ""});
  CHECK(payloads(joined) ==
        head("THING_GROUP_MEMBERSHIP_EVENT", "ADDED") +
            R"("groupArn":"arn:aws:iot:us-east-1:123456789012:thinggroup/room","groupId":"ID",)"
            R"("thingArn":"arn:aws:iot:us-east-1:123456789012:thing/lamp","thingId":"ID",)"
            R"("membershipId":"ID"})"
            "\n");
  // The membership has the same id when it ends.
  const auto left = remove_thing_from_thing_group(registry, {"room", "", "lamp", ""});
  REQUIRE(left);
  const auto membership = [](const std::string& payload) {
    return payload.substr(payload.find("\"membershipId\""));
  };
  CHECK(membership(left->effects.events[0].payload) ==
        membership(joined->effects.events[0].payload));
}

}  // namespace
}  // namespace gnomon::registry
