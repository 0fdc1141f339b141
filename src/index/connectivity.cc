#include "index/connectivity.h"

#include <array>

#include "index/tables.h"
#include "index/terms.h"
#include "records/value.h"

namespace gnomon::index {

namespace {

constexpr std::string_view connected_field = "connectivity.connected";
constexpr std::string_view reason_field = "connectivity.disconnectReason";

// All that there are (AWS IoT: "Lifecycle events").
constexpr std::array<std::string_view, 13> reasons = {
    "AUTH_ERROR",
    "CLIENT_INITIATED_DISCONNECT",
    "CLIENT_ERROR",
    "CONNECTION_LOST",
    "DUPLICATE_CLIENTID",
    "FORBIDDEN_ACCESS",
    "MQTT_KEEP_ALIVE_TIMEOUT",
    "SERVER_ERROR",
    "SERVER_INITIATED_DISCONNECT",
    "API_INITIATED_DISCONNECT",
    "THROTTLED",
    "WEBSOCKET_TTL_EXPIRATION",
    "CUSTOMAUTH_TTL_EXPIRATION",
};

std::string connected_posting(std::string_view thing, bool connected) {
  return posting(connected_field, text_value(connected ? "true" : "false"), thing);
}

}  // namespace

std::string connectivity_key(std::string_view thing) {
  return std::string(key(Table::connectivity).last(thing).view());
}

std::vector<std::string> keys_of_connectivity(std::string_view thing) {
  std::vector<std::string> keys{connectivity_key(thing), connected_posting(thing, true),
                                connected_posting(thing, false)};
  for (const std::string_view reason : reasons)
    keys.push_back(posting(reason_field, text_value(reason), thing));
  return keys;
}

void write_connectivity(std::string_view thing, const Connectivity& now,
                        std::vector<store::Operation>& operations) {
  operations.emplace_back(store::Put{connectivity_key(thing), records::write(now)});
  operations.emplace_back(store::Erase{connected_posting(thing, !now.connected)});
  operations.emplace_back(store::Put{connected_posting(thing, now.connected), ""});
  if (!now.reason.empty())
    operations.emplace_back(store::Put{posting(reason_field, text_value(now.reason), thing), ""});
}

Result<std::optional<Connectivity>> load_connectivity(const store::Store& store,
                                                      std::string_view thing) {
  const auto stored = store.get(connectivity_key(thing));
  if (!stored) return stored.error();
  if (!*stored) return std::optional<Connectivity>();
  Connectivity read;
  if (!records::read(**stored, read)) {
    return Error{Code::unavailable, "the connectivity of thing '" + std::string(thing) +
                                        "' cannot be read from the store; restore a backup "
                                        "(gnomon restore)"};
  }
  return std::optional(std::move(read));
}

}  // namespace gnomon::index
