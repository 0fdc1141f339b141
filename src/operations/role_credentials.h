// The credential provider: a device shows its certificate and gets credentials of the role that a
// role alias names (AWS IoT: "Authorizing direct calls to AWS services using the AWS IoT Core
// credential provider").
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "operations/front_door.h"

namespace gnomon::operations {

// The alias in "/role-aliases/{alias}/credentials", not decoded: aliases have no character that
// needs it. Nothing: it is another path.
[[nodiscard]] std::optional<std::string_view> alias_of(std::string_view path);

// Answers a request for that path. In this order: the certificate is registered and ACTIVE, and
// attached to the thing that x-amzn-iot-thingname names, if it does; its policies allow
// iot:AssumeRoleWithCertificate on the alias; the alias is there; its role trusts
// credentials.iot.amazonaws.com. Else 403, for an alias that is not there 404. What policies refuse
// names a decision. On the pool.
[[nodiscard]] Answer role_credentials(World& world, const Arrival& arrival, WallTime now);

}  // namespace gnomon::operations
