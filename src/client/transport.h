// The way to a server: TCP, TLS, WebSocket, or WebSocket over TLS.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "net/tls.h"
#include "runtime/loop.h"

namespace gnomon::client {

// Where a server is, and what is spoken below MQTT there. A value.
struct Endpoint {
  runtime::Address address;  // the host is a literal
  // The host as it was asked for: what its certificate must be for, and the Host of WebSocket.
  // Empty: the literal.
  std::string name;
  std::shared_ptr<const net::TlsConfig> tls;  // null: not encrypted
  std::optional<std::string> websocket;       // the target, such as "/mqtt"; nothing: not WebSocket

  // For messages: "localhost (127.0.0.1:8883) over TLS".
  [[nodiscard]] std::string describe() const;
};

// Transport: what the clients of one loop need to reach one server. Over TLS it keeps the last
// session, which the next connection resumes.
// Owner: its user, on the loop's thread (or before the loop starts); outlives the streams.
class Transport {
 public:
  // `random`: for WebSocket; outlives the transport.
  Transport(runtime::Loop& loop, Random& random, Endpoint endpoint);
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Connects; the handler hears on_connected() when MQTT can be spoken. Before on_ended() `refused`
  // is told why, unless it was TCP. Errors: denied (the server's certificate does not verify),
  // unavailable (TLS or WebSocket failed, or was refused).
  using Refused = std::function<void(const Error&)>;
  runtime::StreamPtr connect(runtime::StreamHandler& handler, Refused refused);
  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  runtime::StreamPtr connect_below(runtime::StreamHandler& handler, const Refused& refused);

  runtime::Loop& loop_;
  Random& random_;
  const Endpoint endpoint_;
  std::optional<net::TlsLayer> tls_;
  std::shared_ptr<net::TlsLayer::Session> session_;
};

}  // namespace gnomon::client
