// TLS 1.2 and 1.3 over streams, both roles. OpenSSL stays in tls*.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/loop.h"

namespace gnomon::net {

class TlsStream;

// TlsConfig: a certificate with its key and what is offered with it. Immutable; shared by threads.
class TlsConfig {
 public:
  struct Server {
    std::string certificates;  // PEM: the leaf first, then what leads to the root
    std::string key;           // PEM
    // ALPN, the dearest first. A client that offers only others is refused; one that offers none
    // is not.
    std::vector<std::string> protocols;
    // Asks for a certificate. Whoever shows one must have its key; whether it is one that the
    // server knows is not asked here (runtime::Security::certificate).
    bool ask_for_certificate = false;
  };
  // Errors: invalid (what is no PEM, a key that is not the certificate's; the message says which).
  static Result<std::shared_ptr<const TlsConfig>> server(const Server& server);

  struct Client {
    std::string authorities;        // PEM; empty: those of the system
    std::string certificates, key;  // PEM; empty: shows none
    std::vector<std::string> protocols;
    bool verify = true;       // the server's chain and name
    bool verify_name = true;  // off: the chain only
  };
  static Result<std::shared_ptr<const TlsConfig>> client(const Client& client);

  TlsConfig(const TlsConfig&) = delete;
  TlsConfig& operator=(const TlsConfig&) = delete;
  ~TlsConfig();

 private:
  friend class TlsStream;
  friend class TlsLayer;
  friend class TlsClient;
  struct State;
  explicit TlsConfig(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// TlsLayer: the encrypted streams of one loop. Handshakes are bounded in each turn, so that a storm
// of them does not stop the connections that are there.
// Owner: the loop's thread; outlives its streams.
class TlsLayer {
 public:
  TlsLayer(runtime::Loop& loop, std::shared_ptr<const TlsConfig> config);
  ~TlsLayer();
  TlsLayer(const TlsLayer&) = delete;
  TlsLayer& operator=(const TlsLayer&) = delete;

  // For connections from now on.
  void use(std::shared_ptr<const TlsConfig> config) { config_ = std::move(config); }

  // Takes over an accepted socket. `handler` hears on_connected() when the handshake is done, and
  // on_ended() if it fails.
  runtime::StreamPtr adopt(const runtime::Accepted& accepted, runtime::StreamHandler& handler);
  // The same with a stream of this loop on which something came before TLS. `unread`: what has
  // arrived of the handshake; it goes on in a later turn.
  runtime::StreamPtr adopt(runtime::StreamPtr below, ByteView unread,
                           runtime::StreamHandler& handler);
  // Connects, then shakes hands. `name`: what the server's certificate must be for; an address
  // works too. Wherever `session` points is kept the last session, to be resumed with the next one.
  // Before on_ended() `refused`, if set, is told why TLS has failed, also after the handshake: with
  // TLS 1.3 a server judges a client's certificate only then. Errors: denied (the server's
  // certificate does not verify), unavailable (the server refuses, or speaks no TLS). It is not
  // told of a socket that could not connect.
  struct Session;
  using Refused = std::function<void(const Error&)>;
  runtime::StreamPtr connect(const runtime::Address& address, const std::string& name,
                             runtime::StreamHandler& handler,
                             std::shared_ptr<Session> session = nullptr, Refused refused = {});
  static std::shared_ptr<Session> make_session();

  struct Stats {
    std::uint64_t handshakes = 0, resumed = 0, failed = 0, put_off = 0;
  };
  [[nodiscard]] const Stats& stats() const { return stats_; }

 private:
  friend class TlsStream;
  bool may_shake_hands();
  void put_off(TlsStream& stream);
  void forget(TlsStream& stream);
  void go_on();

  runtime::Loop& loop_;
  std::shared_ptr<const TlsConfig> config_;
  std::unique_ptr<std::uint8_t[]> plain_;  // what was decrypted, until the handler has taken it
  std::deque<TlsStream*> waiting_;         // for their handshakes to go on
  std::uint64_t turn_ = 0;
  int handshakes_ = 0;  // steps in this turn
  bool posted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Stats stats_;
};

}  // namespace gnomon::net
