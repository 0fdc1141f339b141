// TlsStream: an encrypted stream over another one. Internal to net.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "net/tls.h"

// OpenSSL's, whose headers stay in .cc files.
struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct bio_st;
struct bio_method_st;
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
// Why OpenSSL has just failed on this connection, and no more errors in its queue.
Error tls_failure(ssl_st* ssl);

// OpenSSL reads what the stream below has brought where it lies, and writes into that stream's
// output: there are no buffers between. What the user appends is encrypted at the end of the turn,
// as far as the stream below takes it, so pending() tells of a slow peer. Owner: its user, through
// StreamPtr.
class TlsStream final : public runtime::Stream, private runtime::StreamHandler {
 public:
  TlsStream(TlsLayer& layer, runtime::StreamHandler& user, bool is_client);
  ~TlsStream() override;

  void open(runtime::StreamPtr below);
  // On which somebody else has read the beginning.
  void open(runtime::StreamPtr below, ByteView unread);
  void set_name(const std::string& name);
  void resume_with(std::shared_ptr<TlsLayer::Session> session);
  void tell_refusal(TlsLayer::Refused refused) { refused_ = std::move(refused); }
  // A handshake that was put off.
  void go_on();

  void pause() override;
  void resume() override;
  void set_handler(runtime::StreamHandler& handler) override {
    if (user_ != nullptr) user_ = &handler;
  }
  [[nodiscard]] std::uint32_t progress() const override { return below_ ? below_->progress() : 0; }
  [[nodiscard]] const runtime::Security* security() const override {
    return security_ ? &*security_ : nullptr;
  }

  static bio_method_st* bio_method();

 private:
  friend class TlsLayer;
  void on_connected() override;
  void on_bytes(ByteView bytes) override;
  void on_drained() override;
  void on_ended(runtime::Ended why) override;
  void write_output() override;
  void close(bool flush_first) override;
  [[nodiscard]] std::size_t pending_below() const override {
    return below_ ? below_->pending() : 0;
  }

  void take_input();
  bool shake_hands();
  void established();
  void read_plain();
  void encrypt(std::size_t below_max);
  void fail(const Error& error);
  void end(runtime::Ended why);
  static int bio_read(bio_st* bio, char* to, int size);
  static int bio_write(bio_st* bio, const char* from, int size);
  static long bio_control(bio_st* bio, int command, long number, void* pointer);

  TlsLayer& layer_;
  std::shared_ptr<const TlsConfig> config_;
  runtime::StreamHandler* user_;  // null: closed, or ended
  runtime::StreamPtr below_;
  Held<ssl_st> ssl_;
  std::shared_ptr<TlsLayer::Session> session_;
  TlsLayer::Refused refused_;
  std::optional<runtime::Security> security_;  // once the handshake is done
  ByteView in_;                                // encrypted, not read yet
  Buffer kept_;                                // the same, when it must outlive the call
  bool paused_ = false;
  bool is_client_;
};

}  // namespace gnomon::net
