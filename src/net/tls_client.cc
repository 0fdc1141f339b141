#include "net/tls_client.h"

#include <algorithm>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls_stream.h"

namespace gnomon::net {

// What OpenSSL reads from and writes to, during a call.
struct TlsClient::State {
  std::shared_ptr<const TlsConfig> config;
  std::shared_ptr<TlsLayer::Session> session;
  Held<SSL> ssl;
  ByteView in;
  Buffer* out = nullptr;

  static State& of(BIO* bio) { return *static_cast<State*>(BIO_get_data(bio)); }
  static int read(BIO* bio, char* to, int size) {
    BIO_clear_retry_flags(bio);
    ByteView& in = of(bio).in;
    if (in.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(in.size(), static_cast<std::size_t>(size));
    std::copy_n(in.data(), count, reinterpret_cast<std::uint8_t*>(to));
    in = in.subspan(count);
    return static_cast<int>(count);
  }
  static int write(BIO* bio, const char* from, int size) {
    BIO_clear_retry_flags(bio);
    of(bio).out->append(from, static_cast<std::size_t>(size));
    return size;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static BIO_METHOD* method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return method;
  }
};

TlsClient::TlsClient(std::shared_ptr<const TlsConfig> config, const std::string& name,
                     std::shared_ptr<TlsLayer::Session> session, Buffer& out)
    : state_(std::make_unique<State>()) {
  state_->config = std::move(config);
  state_->session = std::move(session);
  state_->ssl.reset(SSL_new(state_->config->state_->context.get()));
  SSL* ssl = state_->ssl.get();
  BIO* bio = BIO_new(State::method());
  BIO_set_data(bio, state_.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
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
  state_->in = bytes;
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
