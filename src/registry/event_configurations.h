// Which registry events are published: DescribeEventConfigurations, UpdateEventConfigurations.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "registry/registry.h"

namespace gnomon::registry {

enum class EventType : std::uint8_t {
  thing,
  thing_group,
  thing_type,
  thing_group_membership,
  thing_group_hierarchy,
  thing_type_association,
  job,
  job_execution,
  policy,
  certificate,
  ca_certificate,
};
constexpr int event_types = 11;
// As in the model: "THING_GROUP".
[[nodiscard]] std::string_view to_string(EventType type);
[[nodiscard]] std::optional<EventType> event_type(std::string_view name);

// A set of them: bit 1 << type.
using EventTypes = std::uint32_t;
[[nodiscard]] constexpr EventTypes bit(EventType type) {
  return EventTypes{1} << static_cast<unsigned>(type);
}

// Those that are enabled. Internal to the module.
[[nodiscard]] EventTypes enabled_events(records::Transaction& records);

struct EventConfigurations {
  std::map<EventType, bool> enabled;     // of every type
  WallTime creation, last_modification;  // 0: nobody has set any yet
};
Reply<EventConfigurations> describe_event_configurations(const Registry& registry);

// Sets those that are named. Errors: invalid_request (one is enabled of which this server sends no
// events: job, job_execution, policy, certificate, ca_certificate).
Written<Nothing> update_event_configurations(Registry& registry,
                                             const std::map<EventType, bool>& enabled);

}  // namespace gnomon::registry
