#include "operations/handlers.h"

#include <stdexcept>
#include <string>
#include <unordered_map>

namespace gnomon::operations {

namespace {

struct Group {
  std::string_view service;
  Entries (*entries)();
};

constexpr Group groups[] = {
    {"iot", iot_things},
    {"iot", iot_thing_types},
    {"iot", iot_thing_groups},
    {"iot", iot_billing_groups},
    {"iot", iot_principals},
    {"iot", iot_certificates},
    {"iot", iot_authorities},
    {"iot", iot_policies},
    {"iot", iot_attachments},
    {"iot", iot_provisioning},
    {"iot", iot_role_aliases},
    {"iot", iot_tags},
    {"iot", iot_account},
    {"iot", iot_authorization},
    {"iam", iam_users},
    {"iam", iam_roles},
    {"iam", iam_entities},
    {"iam", iam_absent},
    {"iam", iam_policies},
    {"iam", iam_attachments},
    {"sts", sts},
    {"gnomon", gnomon_policy},
    {"iot-data", iot_data_publish},
    {"iot-data", iot_data_shadows},
    {"gnomon", gnomon_shadows},
    {"iot", iot_indexing},
    {"iot", iot_indices},
    {"iot", iot_dynamic_groups},
    {"iot-data", iot_data_connections},
};

using Map = std::unordered_map<const api::Operation*, Handler>;

// Throws std::logic_error for a handler of nothing, and for two of one operation.
Map make_map() {
  Map map;
  for (const Group& group : groups) {
    const api::Service* service = api::service_named(group.service);
    if (service == nullptr) throw std::logic_error("no service " + std::string(group.service));
    for (const Entry& entry : group.entries()) {
      const api::Operation* operation = api::operation_named(*service, entry.operation);
      if (operation == nullptr || operation->row == nullptr ||
          !map.emplace(operation, entry.handler).second) {
        throw std::logic_error("no row, or two handlers: " + std::string(entry.operation));
      }
    }
  }
  return map;
}

}  // namespace

Handler handler_of(const api::Operation& operation) {
  static const Map map = make_map();
  const auto at = map.find(&operation);
  return at == map.end() ? nullptr : at->second;
}

}  // namespace gnomon::operations
