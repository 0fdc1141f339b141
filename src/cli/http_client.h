// One request over HTTP and its answer, for commands.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "net/http_message.h"
#include "net/tls.h"

namespace gnomon::cli {

struct HttpServerAt {
  std::string address;                        // "127.0.0.1:8080"
  std::shared_ptr<const net::TlsConfig> tls;  // null: not encrypted
  // How long it may be silent; nothing: as long as the work takes.
  std::optional<std::chrono::seconds> patience;
};

// Sends `request`, which must have its Host, on a connection of its own and waits for the answer.
// Errors: invalid (the address), not_found (nobody listens there), denied (its certificate is not
// one to trust), unavailable (the connection ended, too slow, or what answered was not HTTP).
Result<net::Response> exchange(const HttpServerAt& server, const net::Request& request);

}  // namespace gnomon::cli
