// TlsStream: an encrypted stream over another one. Internal to net.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "net/layer.h"
#include "net/tls.h"
#include "net/tls_bio.h"

// OpenSSL's, whose headers stay in .cc files.
struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct bio_st;
struct x509_st;
struct evp_pkey_st;

namespace gnomon::net {

struct Free {
  void operator()(ssl_st* ssl) const;
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_session_st* session) const;
  void operator()(bio_st* bio) const;
  void operator()(x509_st* certificate) const;
  void operator()(evp_pkey_st* key) const;
};
template <class T>
using Held = std::unique_ptr<T, Free>;

struct TlsConfig::State {
  Held<ssl_ctx_st> context;
  std::string protocols;  // ALPN as on the wire
  bool verify_name = true;
};
struct TlsLayer::Session {
  Held<ssl_session_st> session;
};

// What both clients of TLS have in common (TlsStream, TlsClient): asks for `name`, with SNI, and
// the certificate to be for it unless the configuration says otherwise.
void ask_for(ssl_st* ssl, const std::string& name, bool verify);
// Resumes the session that is there, and keeps the next ones there. Null: neither.
void use_session(ssl_st* ssl, TlsLayer::Session* session);
int keep_session(ssl_st* ssl, ssl_session_st* session);
// After the handshake nobody asks for the key in the other end's certificate any more. Decoded it
// takes 2 KB, as long as the connection lasts: it is replaced by one that all share.
void drop_key(x509_st* certificate);
// Why OpenSSL has just failed on this connection, and no more errors in its queue.
Error tls_failure(ssl_st* ssl);
// The same of a client's handshake, as a server sees it.
std::pair<TlsFault, std::string> handshake_fault(ssl_st* ssl);

// What the user appends is encrypted at the end of the turn, as far as the stream below takes it,
// so pending() tells of a slow peer. Owner: its user, through StreamPtr.
class TlsStream final : public Layer, private TlsBio {
 public:
  TlsStream(TlsLayer& layer, runtime::StreamHandler& user, bool is_client);
  ~TlsStream() override;

  // On a stream of which somebody else has read the beginning.
  void open(runtime::StreamPtr below, ByteView unread);
  void set_name(const std::string& name);
  void resume_with(std::shared_ptr<TlsLayer::Session> session);
  void tell_refusal(TlsLayer::Refused refused) { refused_ = std::move(refused); }
  // A handshake that was put off.
  void go_on();

  void pause() override;
  void resume() override;
  [[nodiscard]] const runtime::Security* security() const override {
    return security_ ? &*security_ : nullptr;
  }

 private:
  friend class TlsLayer;
  void on_connected() override;
  void on_bytes(ByteView bytes) override;
  void on_drained() override;
  void on_ended(runtime::Ended why) override;
  void write_output() override;
  void close(bool flush_first) override;

  void take_input();
  bool shake_hands();
  void established();
  void read_plain();
  void encrypt(std::size_t below_max);
  void fail(const Error& error);
  void note_fault(TlsFault fault, std::string_view why);
  void end(runtime::Ended why);
  Buffer* encrypted_output() override { return below_ ? &below_->output() : nullptr; }

  TlsLayer& layer_;
  std::shared_ptr<const TlsConfig> config_;
  Held<ssl_st> ssl_;
  std::shared_ptr<TlsLayer::Session> session_;
  TlsLayer::Refused refused_;
  std::optional<runtime::Security> security_;  // once the handshake is done
  Buffer kept_;                                // of in_, what must outlive the call
  bool paused_ = false;
  bool owes_drained_ = false;  // the user has seen output wait that goes in a later turn
  bool is_client_;
};

}  // namespace gnomon::net
