#include "registry/event_configurations.h"

#include <array>

#include "registry/change.h"
#include "registry/tables.h"

namespace gnomon::registry {

namespace {

struct EventSettings {
  std::uint64_t enabled = 0;
  WallTime created, modified;
  static void fields(auto& r, auto& archive) { archive(r.enabled, r.created, r.modified); }
};

constexpr std::array<std::string_view, event_types> names{
    "THING",
    "THING_GROUP",
    "THING_TYPE",
    "THING_GROUP_MEMBERSHIP",
    "THING_GROUP_HIERARCHY",
    "THING_TYPE_ASSOCIATION",
    "JOB",
    "JOB_EXECUTION",
    "POLICY",
    "CERTIFICATE",
    "CA_CERTIFICATE",
};

records::Key settings_key() { return key(Table::setting, "events"); }

// The first six are those of the registry; of the others nothing is sent.
bool is_sent(EventType type) { return type < EventType::job; }

}  // namespace

std::string_view to_string(EventType type) { return names[static_cast<std::size_t>(type)]; }

std::optional<EventType> event_type(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<EventType>(i);
  return std::nullopt;
}

EventTypes enabled_events(records::Transaction& records) {
  EventSettings settings;
  const auto value = records.peek(settings_key());
  if (value && !records::read(*value, settings))
    records.fail(Error{Code::unavailable, "the event configurations in the store are damaged"});
  return static_cast<EventTypes>(settings.enabled);
}

Reply<EventConfigurations> describe_event_configurations(const Registry& registry) {
  return records::read(registry.store,
                       [&](records::Transaction& records) -> Reply<EventConfigurations> {
                         const auto settings =
                             load<EventSettings>(records, settings_key()).value_or(EventSettings{});
                         EventConfigurations answer{{}, settings.created, settings.modified};
                         for (int i = 0; i < event_types; ++i) {
                           const auto type = static_cast<EventType>(i);
                           answer.enabled[type] = (settings.enabled & bit(type)) != 0;
                         }
                         return answer;
                       });
}

Written<Nothing> update_event_configurations(Registry& registry,
                                             const std::map<EventType, bool>& enabled) {
  return change(registry, [&](Change& change) -> Reply<Nothing> {
    auto settings = load<EventSettings>(change.records, settings_key()).value_or(EventSettings{});
    for (const auto& [type, on] : enabled) {
      if (on && !is_sent(type)) {
        return invalid("Events of type " + std::string(to_string(type)) +
                       " are not sent by this server, so they cannot be enabled.");
      }
      settings.enabled = on ? settings.enabled | bit(type) : settings.enabled & ~bit(type);
    }
    if (settings.created.ms == 0) settings.created = change.now;
    settings.modified = change.now;
    save(change.records, settings_key(), settings);
    return Nothing{};
  });
}

}  // namespace gnomon::registry
