// Where devices find a server.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cli/api_client.h"
#include "runtime/loop.h"

namespace gnomon::cli {

// `host`: HOST or HOST:PORT, as somebody has said; else what DescribeEndpoint tells. The port is
// that of the listener mqtts of a server on this machine, else 8883. Errors: not_found (the server
// on this machine has that listener off), as ApiClient::call().
Result<runtime::Address> broker_address(ApiClient& client, const ApiServer& server,
                                        const std::optional<std::string>& host);

}  // namespace gnomon::cli
