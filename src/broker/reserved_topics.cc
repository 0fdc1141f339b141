#include "broker/reserved_topics.h"

#include <algorithm>
#include <array>

#include "topic/topic.h"

namespace gnomon::broker {

namespace {

// `+` is any one level that is not empty, `#` whatever comes. The first that fits counts: those
// that are used most stand first.
struct Pattern {
  std::string_view pattern;
  ReservedUse use;
};
constexpr auto publish = ReservedUse::publish;
constexpr auto request = ReservedUse::request;
constexpr auto subscribe = ReservedUse::subscribe;
constexpr auto patterns = std::to_array<Pattern>({
    {"$aws/things/+/shadow/get", request},
    {"$aws/things/+/shadow/update", request},
    {"$aws/things/+/shadow/delete", request},
    {"$aws/things/+/shadow/name/+/get", request},
    {"$aws/things/+/shadow/name/+/update", request},
    {"$aws/things/+/shadow/name/+/delete", request},
    {"$aws/things/+/shadow/#", subscribe},
    {"$aws/certificates/create/json", publish},
    {"$aws/certificates/create/cbor", publish},
    {"$aws/certificates/create-from-csr/json", publish},
    {"$aws/certificates/create-from-csr/cbor", publish},
    {"$aws/certificates/create/+/accepted", subscribe},
    {"$aws/certificates/create/+/rejected", subscribe},
    {"$aws/certificates/create-from-csr/+/accepted", subscribe},
    {"$aws/certificates/create-from-csr/+/rejected", subscribe},
    {"$aws/provisioning-templates/+/provision/json", publish},
    {"$aws/provisioning-templates/+/provision/cbor", publish},
    {"$aws/provisioning-templates/+/provision/+/accepted", subscribe},
    {"$aws/provisioning-templates/+/provision/+/rejected", subscribe},
    {"$aws/things/+/jobs/get", publish},
    {"$aws/things/+/jobs/start-next", publish},
    {"$aws/things/+/jobs/notify", subscribe},
    {"$aws/things/+/jobs/notify-next", subscribe},
    {"$aws/things/+/jobs/+/get", publish},
    {"$aws/things/+/jobs/+/update", publish},
    {"$aws/things/+/jobs/#", subscribe},
    {"$aws/things/+/streams/+/describe/json", publish},
    {"$aws/things/+/streams/+/describe/cbor", publish},
    {"$aws/things/+/streams/+/get/json", publish},
    {"$aws/things/+/streams/+/get/cbor", publish},
    {"$aws/things/+/streams/#", subscribe},
    {"$aws/things/+/defender/metrics/json", publish},
    {"$aws/things/+/defender/metrics/cbor", publish},
    {"$aws/things/+/defender/metrics/#", subscribe},
    {"$aws/things/+/tunnels/notify", subscribe},
    {"$aws/rules/+", publish},
    {"$aws/rules/+/#", publish},
    {"$aws/commands/things/+/executions/+/response/json", publish},
    {"$aws/commands/things/+/executions/+/response/cbor", publish},
    {"$aws/commands/clients/+/executions/+/response/json", publish},
    {"$aws/commands/clients/+/executions/+/response/cbor", publish},
    {"$aws/commands/#", subscribe},
    {"$aws/events/#", subscribe},
    {"$SYS/#", subscribe},
});

std::string_view take_level(std::string_view& text) {
  const std::size_t end = std::min(text.find('/'), text.size());
  const std::string_view level = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return level;
}

bool fits(std::string_view pattern, std::string_view topic) {
  if (std::ranges::count(pattern, '/') > std::ranges::count(topic, '/')) return false;
  const bool open = pattern.ends_with("/#");
  if (!open && std::ranges::count(pattern, '/') != std::ranges::count(topic, '/')) return false;
  while (!pattern.empty()) {
    const std::string_view wanted = take_level(pattern);
    if (wanted == "#") return true;
    const std::string_view level = take_level(topic);
    if (wanted == "+" ? level.empty() : wanted != level) return false;
  }
  return true;
}

}  // namespace

ReservedUse reserved_use(std::string_view topic) {
  const auto* const found =
      std::ranges::find_if(patterns, [&](const Pattern& one) { return fits(one.pattern, topic); });
  return found == patterns.end() ? ReservedUse::none : found->use;
}

const char* reserved_fault(const ReservedTopics* services, std::string_view topic, std::uint8_t qos,
                           bool retain) {
  switch (reserved_use(topic)) {
    case ReservedUse::none:
      return "topics that begin with $ are reserved";
    case ReservedUse::subscribe:
      return "only the server publishes to this topic";
    case ReservedUse::publish:
    case ReservedUse::request:
      break;
  }
  if (topic::check_name(topic) != topic::Fault::none) return "the topic is malformed";
  if (services == nullptr || !services->takes(topic))
    return "no service of this server is behind this topic yet";
  if (retain) return "nothing is retained for reserved topics";
  if (qos == 2) return "reserved topics are published to with QoS 0 or 1";
  return nullptr;
}

}  // namespace gnomon::broker
