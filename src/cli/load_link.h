// LoadLink: what lies between the packets of a LoadClient and its socket: TLS, WebSocket, or both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "net/tls_client.h"
#include "net/websocket_frame.h"
#include "net/websocket_handshake.h"

namespace gnomon::cli {

// What the connections of a load have in common below MQTT. A value.
struct LoadTransport {
  std::string name;                           // what the broker's certificate must be for
  std::string host;                           // the Host of WebSocket
  std::shared_ptr<const net::TlsConfig> tls;  // null: not encrypted
  std::optional<std::string> websocket;       // the target; nothing: not WebSocket
  [[nodiscard]] bool plain() const { return !tls && !websocket; }
};

// Owner: its LoadClient; one thread. Bytes in, bytes out; the socket stays with the client.
class LoadLink {
 public:
  // For one connection; `wire` gets what is to be sent first. `session`: resumed, and kept there;
  // may be null. `seed`: of the masks of WebSocket.
  LoadLink(const LoadTransport& transport, std::shared_ptr<net::TlsLayer::Session> session,
           std::uint64_t seed, Buffer& wire);

  // All is agreed: packets may be sent.
  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] bool resumed() const { return tls_ && tls_->resumed(); }
  // Packets to the wire: all of them, as one frame. open() only.
  void send(Buffer& packets, Buffer& wire);
  // From the wire to packets: returns how many bytes are now at the front of `to`, which has room
  // for net::TlsClient::plain_bytes(bytes.size()). Overwrites `bytes`. Errors: denied, unavailable,
  // invalid, with what TLS or WebSocket says.
  Result<std::size_t> receive(std::span<std::uint8_t> bytes, std::span<std::uint8_t> to,
                              Buffer& wire);
  // Says goodbye.
  void finish(Buffer& wire);

 private:
  Result<std::size_t> read_opening(ByteView bytes, std::span<std::uint8_t> to);
  void ask(Buffer& wire);
  std::size_t unframe(std::span<std::uint8_t> bytes, Buffer& wire);
  void pass(Buffer& bytes, Buffer& wire);
  net::WebSocketMask mask();

  // Until WebSocket is agreed upon.
  struct Opening {
    net::WebSocketCall call;
    std::string key;
    Buffer received;
  };
  std::unique_ptr<net::TlsClient> tls_;
  std::unique_ptr<Opening> opening_;
  std::optional<net::WebSocketReader> reader_;  // set: WebSocket
  SeededRandom random_;
  bool open_ = false;
};

}  // namespace gnomon::cli
