// DescribeEndpoint, DescribeEventConfigurations, UpdateEventConfigurations.
#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "operations/handlers.h"
#include "operations/iot_answer.h"
#include "registry/event_configurations.h"

namespace gnomon::operations {
namespace {

namespace bj = boost::json;

constexpr std::array<std::string_view, 4> endpoint_types = {"iot:Data", "iot:Data-ATS",
                                                            "iot:CredentialProvider", "iot:Jobs"};

// One name answers for all; with AWS they differ in their certificates and in what they serve.
Outcome describe_endpoint(Context& context, const json::Value& input, json::Value& output) {
  const std::string_view type = text(input, "endpointType");
  if (!type.empty() && std::ranges::find(endpoint_types, type) == endpoint_types.end()) {
    std::string known;
    for (const std::string_view one : endpoint_types) {
      known.append(known.empty() ? "" : ", ").append(one);
    }
    return refuse("Invalid endpoint type: " + std::string(type) + " (expected one of " + known +
                  ")");
  }
  set(output, "endpointAddress", text_value(context.world.endpoint));
  return Done{};
}

Outcome describe_event_configurations(Context& context, const json::Value&, json::Value& output) {
  return answer_read(registry::describe_event_configurations(context.world.registry),
                     [&](const registry::EventConfigurations& configurations) {
                       bj::object all;
                       for (const auto& [type, enabled] : configurations.enabled) {
                         all.emplace(to_string(type), bj::object{{"Enabled", enabled}});
                       }
                       output = {{"eventConfigurations", std::move(all)},
                                 {"creationDate", or_null(configurations.creation)},
                                 {"lastModifiedDate", or_null(configurations.last_modification)}};
                     });
}

Outcome update_event_configurations(Context& context, const json::Value& input, json::Value&) {
  std::map<registry::EventType, bool> enabled;
  if (const json::Value* all = member(input, "eventConfigurations")) {
    for (const auto& [name, configuration] : all->as_object()) {
      const auto type = registry::event_type(name);
      const auto on = flag(configuration, "Enabled");
      if (!type) return refuse("There is no event type " + std::string(name) + ".");
      if (!on) return refuse("Enabled must be given for " + std::string(name) + ".");
      enabled.emplace(*type, *on);
    }
  }
  return answer_written(registry::update_event_configurations(context.world.registry, enabled));
}

constexpr Entry entries[] = {
    {"DescribeEndpoint", describe_endpoint},
    {"DescribeEventConfigurations", describe_event_configurations},
    {"UpdateEventConfigurations", update_event_configurations},
};

}  // namespace

Entries iot_account() { return entries; }

}  // namespace gnomon::operations
