// What the registry refuses, as the errors of the service iot. Internal to the module.
#pragma once

#include <string>

#include "api/error.h"
#include "registry/failure.h"

namespace gnomon::operations {

// The modelled error of that name, with resourceId and resourceArn if the failure has them. An
// operation need not list it: those of thing groups list no ServiceUnavailableException, and yet a
// disk may fail. SDKs raise their base class with name, status and message then.
[[nodiscard]] api::ApiError to_error(const registry::Failure& failure);

// InvalidRequestException.
[[nodiscard]] api::ApiError refuse(std::string message);

}  // namespace gnomon::operations
