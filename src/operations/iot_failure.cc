#include "operations/iot_failure.h"

#include <utility>

namespace gnomon::operations {

api::ApiError to_error(const registry::Failure& failure) {
  static const api::Service& iot = *api::service_named("iot");
  api::ApiError error = api::modelled_error(iot, to_string(failure.kind), failure.message);
  if (!failure.resource_id.empty()) error.members.emplace_back("resourceId", failure.resource_id);
  if (!failure.resource_arn.empty()) {
    error.members.emplace_back("resourceArn", failure.resource_arn);
  }
  return error;
}

api::ApiError refuse(std::string message) {
  return to_error(registry::invalid(std::move(message)));
}

}  // namespace gnomon::operations
