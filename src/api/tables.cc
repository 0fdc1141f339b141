#include "api/tables.h"

#include <algorithm>
#include <array>

namespace gnomon::api {

namespace tables {
// Written by api/generate at build time.
extern const Service iot, iot_data, iam, sts, gnomon;
}  // namespace tables

std::span<const Service* const> services() {
  static constexpr std::array<const Service*, 5> all = {
      &tables::iot, &tables::iot_data, &tables::iam, &tables::sts, &tables::gnomon};
  return all;
}

const Service* service_named(std::string_view name) {
  const auto found = std::ranges::find(services(), name, &Service::name);
  return found == services().end() ? nullptr : *found;
}

const Service* service_signed_as(std::string_view signing_name) {
  if (signing_name == older_name_of_iot) return service_named("iot");
  const auto found = std::ranges::find(services(), signing_name, &Service::signing_name);
  return found == services().end() ? nullptr : *found;
}

const Operation* operation_named(const Service& service, std::string_view name) {
  const auto found = std::ranges::lower_bound(service.operations, name, {}, &Operation::name);
  return found != service.operations.end() && found->name == name ? &*found : nullptr;
}

const ErrorShape* error_named(const Service& service, std::string_view name) {
  const auto found = std::ranges::lower_bound(service.errors, name, {}, &ErrorShape::name);
  return found != service.errors.end() && found->name == name ? &*found : nullptr;
}

}  // namespace gnomon::api
