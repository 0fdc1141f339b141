// The PROXY protocol, versions 1 and 2: a proxy in front says whom it speaks for, before anything
// else on a connection. Pure. Only for listeners whose peers are trusted (`proxy.trusted`): whoever
// may send this may claim any address.
#pragma once

#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "runtime/loop.h"

namespace gnomon::net {

// More must come; it is never more than limits::proxy_v2_bytes_max in all: longer headers are
// refused.
struct ProxyMore {};
// A header was read.
struct ProxyHeader {
  std::size_t bytes = 0;  // its size; what follows belongs to the connection
  // False: the proxy speaks for itself (LOCAL, a health check) or does not say for whom (UNKNOWN,
  // a family that is not IP): the connection's own peer is meant.
  bool has_peer = false;
  runtime::Peer peer;
};
// This is no such header; close.
struct ProxyRefused {
  const char* why = "";
};
using ProxyRead = std::variant<ProxyMore, ProxyHeader, ProxyRefused>;

// Reads the header at the front of `in`, all that has come so far.
[[nodiscard]] ProxyRead read_proxy_header(ByteView in);

}  // namespace gnomon::net
