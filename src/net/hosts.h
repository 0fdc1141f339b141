// By which names a server may be addressed over HTTP, and from which web pages. Without this a page
// anywhere could reach a server on loopback through the browser that shows it: directly, or under a
// name of its own that it has made point here (DNS rebinding).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_message.h"

namespace gnomon::net {

// KnownHosts: a value; the loopback names are always known.
struct KnownHosts {
  // The address that is listened on, without the port. If it is one of all addresses ("0.0.0.0",
  // "::"), every address is known: none can be rebound, only a name can.
  std::string listener;
  std::vector<std::string> names;    // "broker.example"; "*.example": all below it; "*": all
  std::vector<std::string> origins;  // "https://app.example:8443"; "*": all

  // `host`: the value of a Host header, with or without a port.
  [[nodiscard]] bool knows_host(std::string_view host) const;
  // `origin`: the value of an Origin header. What was loaded from `host` itself is allowed.
  [[nodiscard]] bool allows_origin(std::string_view origin, std::string_view host) const;
};

// The answer to a request that these hosts do not allow, with the reason and the remedy; none: it
// is allowed. 421 for the host, 403 for the origin.
[[nodiscard]] std::optional<Response> refuse_host(const Request& request, const KnownHosts& hosts);
[[nodiscard]] std::optional<Response> refuse_origin(const Request& request,
                                                    const KnownHosts& hosts);

}  // namespace gnomon::net
