#include "net/tls_client.h"

#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls_stream.h"

namespace gnomon::net {

struct TlsClient::State final : TlsBio {
  std::shared_ptr<const TlsConfig> config;
  std::shared_ptr<TlsLayer::Session> session;
  Held<SSL> ssl;
  Buffer* out = nullptr;  // during a call

  using TlsBio::in_;
  using TlsBio::serve;
  Buffer* encrypted_output() override { return out; }
};

TlsClient::TlsClient(std::shared_ptr<const TlsConfig> config, const std::string& name,
                     std::shared_ptr<TlsLayer::Session> session, Buffer& out)
    : state_(std::make_unique<State>()) {
  state_->config = std::move(config);
  state_->session = std::move(session);
  state_->ssl.reset(SSL_new(state_->config->state_->context.get()));
  SSL* ssl = state_->ssl.get();
  state_->serve(ssl);
  SSL_set_connect_state(ssl);
  ask_for(ssl, name, state_->config->state_->verify_name);
  use_session(ssl, state_->session.get());
  state_->out = &out;
  ERR_clear_error();
  SSL_do_handshake(ssl);
}

TlsClient::~TlsClient() = default;

bool TlsClient::resumed() const { return SSL_session_reused(state_->ssl.get()) == 1; }

Result<std::size_t> TlsClient::receive(ByteView bytes, std::span<std::uint8_t> plain, Buffer& out) {
  SSL* ssl = state_->ssl.get();
  state_->in_ = bytes;
  state_->out = &out;
  ERR_clear_error();
  if (!established_) {
    const int done = SSL_do_handshake(ssl);
    if (done != 1 && SSL_get_error(ssl, done) != SSL_ERROR_WANT_READ) return tls_failure(ssl);
    if (done != 1) return std::size_t{0};
    established_ = true;
  }
  std::size_t count = 0;
  for (;;) {
    std::size_t some = 0;
    const int result = SSL_read_ex(ssl, plain.data() + count, plain.size() - count, &some);
    count += some;
    if (result == 1) continue;
    const int why = SSL_get_error(ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN) return count;
    return tls_failure(ssl);
  }
}

void TlsClient::send(ByteView plain, Buffer& out) {
  state_->out = &out;
  while (!plain.empty()) {
    std::size_t written = 0;
    ERR_clear_error();
    if (SSL_write_ex(state_->ssl.get(), plain.data(), plain.size(), &written) != 1) return;
    plain = plain.subspan(written);
  }
}

void TlsClient::finish(Buffer& out) {
  state_->out = &out;
  ERR_clear_error();
  SSL_shutdown(state_->ssl.get());
}

}  // namespace gnomon::net
