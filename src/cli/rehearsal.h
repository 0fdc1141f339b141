// What rehearsals of on-boarding have in common.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/api_client.h"
#include "client/transport.h"

namespace gnomon::cli {

class Rollback;

// How long the server may take for what it does after it has answered.
inline constexpr std::chrono::seconds rehearsal_patience{10};

// Takes a step of a rehearsal and prints what came of it.
bool rehearse_step(const std::string& what, const std::function<Result<void>()>& act);

// Makes a role of this name for the service IoT, which may do all that provisioning does; returns
// its ARN. `arn`: any ARN of the account ("arn:aws:iot:us-east-1:123456789012:policy/p").
Result<std::string> provisioning_role(ApiClient& client, Rollback& rollback,
                                      const std::string& name, const std::string& arn);

// Where a device with this certificate (and what leads from it to its authority) and key finds the
// server, which it knows by its root. Errors: as broker_address(), TlsConfig::client(), resolve().
Result<client::Endpoint> device_endpoint(ApiClient& client, const ApiServer& server,
                                         const std::optional<std::string>& host,
                                         const std::string& certificates, const std::string& key);

// A call whose answer tells nothing.
[[nodiscard]] Result<void> nothing_of(const Result<json::Value>& answer);

// Its ARN, if the certificate has this status; conflict if it has another.
Result<std::string> registered(ApiClient& client, const std::string& certificate_id,
                               const std::string& status);
// not_found if the certificate is not attached to the thing.
Result<void> attached(ApiClient& client, const std::string& thing, const std::string& arn);

// Takes away the device's certificate and thing, as far as there are any.
Result<json::Value> take_device(ApiClient& client, const std::string& certificate_id,
                                const std::string& thing);
// The last step: what was made is taken away.
bool rehearse_clean(Rollback& rollback);

// Fleet provisioning by claim, from one end to the other. Prints each step, and takes all away that
// was made; returns whether all went well.
bool rehearse_claim(ApiClient& client, const ApiServer& server,
                    const std::optional<std::string>& host);

}  // namespace gnomon::cli
