// TLS without a stream, for a client that has a socket of its own: the load generator. Everybody
// else takes TlsLayer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "net/tls.h"

namespace gnomon::net {

// TlsClient: the client's end of one connection. Bytes in, bytes out; no loop, no socket.
// Owner: its user; one thread. A resource: not movable.
class TlsClient {
 public:
  // As TlsLayer::connect(). `out` gets what is to be sent first.
  TlsClient(std::shared_ptr<const TlsConfig> config, const std::string& name,
            std::shared_ptr<TlsLayer::Session> session, Buffer& out);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // Takes what was received, all of it; what must be sent for it is appended to `out`. Returns how
  // many bytes of payload were written to `plain`, which is at least plain_bytes(bytes.size())
  // long. Errors: as TlsLayer::Refused says.
  Result<std::size_t> receive(ByteView bytes, std::span<std::uint8_t> plain, Buffer& out);
  // Room for what `received` bytes may bring: of an unfinished record some is here already.
  static constexpr std::size_t plain_bytes(std::size_t received) { return received + 17 * KiB; }
  // Encrypts all of `plain`. established() only.
  void send(ByteView plain, Buffer& out);
  // Says that nothing more is sent.
  void finish(Buffer& out);

  [[nodiscard]] bool established() const { return established_; }
  [[nodiscard]] bool resumed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  bool established_ = false;
};

}  // namespace gnomon::net
