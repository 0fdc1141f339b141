#include "net/tls_stream.h"

#include <algorithm>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/limits.h"

namespace gnomon::net {

namespace {

// What may wait, encrypted, in the stream below. The rest waits in the clear, where it can be
// counted.

}  // namespace

void Free::operator()(SSL* ssl) const { SSL_free(ssl); }
void Free::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
void Free::operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
void Free::operator()(BIO* bio) const { BIO_free_all(bio); }
void Free::operator()(X509* certificate) const { X509_free(certificate); }
void Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

// ---- life

TlsStream::TlsStream(TlsLayer& layer, runtime::StreamHandler& user, bool is_client)
    : Layer(layer.loop_, user),
      layer_(layer),
      config_(layer.config_),
      ssl_(SSL_new(config_->state_->context.get())),
      is_client_(is_client) {
  serve(ssl_.get());
  is_client_ ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
}

TlsStream::~TlsStream() = default;

void TlsStream::open(runtime::StreamPtr below, ByteView unread) {
  lie_on(std::move(below));
  below_->set_handler(*this);
  if (unread.empty()) return;
  kept_.append(unread);
  below_->pause();
  layer_.put_off(*this);
}

void TlsStream::set_name(const std::string& name) {
  ask_for(ssl_.get(), name, config_->state_->verify_name);
}

void TlsStream::resume_with(std::shared_ptr<TlsLayer::Session> session) {
  session_ = std::move(session);
  use_session(ssl_.get(), session_.get());
}

void TlsStream::end(runtime::Ended why) {
  layer_.forget(*this);
  below_.reset();  // an alert that says why is in its output
  ssl_.reset();
  in_ = {};
  kept_.release();
  if (auto* user = std::exchange(user_, nullptr)) user->on_ended(why);
}

void TlsStream::fail(const Error& error) {
  if (const auto refused = std::exchange(refused_, {})) refused(error);
  if (user_ != nullptr) end(runtime::Ended::error);
}

void TlsStream::close(bool flush_first) {
  user_ = nullptr;
  layer_.forget(*this);
  if (below_ && flush_first && security_) {
    encrypt(SIZE_MAX);
    if (ssl_) SSL_shutdown(ssl_.get());  // close_notify
    ERR_clear_error();
  }
  below_.reset();
  ssl_.reset();
  bury_layer();
}

// ---- input

void TlsStream::pause() {
  paused_ = true;
  if (below_) below_->pause();
}

// What was kept is read at the end of this turn: nobody expects input inside of resume().
void TlsStream::resume() {
  if (!std::exchange(paused_, false) || !below_) return;
  if (security_) flush();
  below_->resume();
}

void TlsStream::on_connected() {
  if (is_client_) take_input();
}

void TlsStream::on_bytes(ByteView bytes) {
  if (kept_.empty()) {
    in_ = bytes;
  } else {
    kept_.append(bytes);
    in_ = kept_.view();
  }
  take_input();
}

void TlsStream::on_ended(runtime::Ended why) {
  const bool spoke = ssl_ && SSL_in_before(ssl_.get()) == 0;
  if (refused_ && !security_ && spoke)
    return fail({Code::unavailable, "the server closed the connection during the TLS handshake"});
  if (!is_client_ && !security_) note_fault(TlsFault::gone, "closed during the handshake");
  end(why);
}

// Reads in_ as far as may be, and keeps the rest.
void TlsStream::take_input() {
  if (!security_ && !shake_hands()) return;
  if (security_ && !paused_) read_plain();
  if (!ssl_) return;  // it has ended
  if (in_.empty()) {
    kept_.release();
  } else if (kept_.empty()) {
    kept_.append(in_);
  } else {
    kept_.consume(kept_.size() - in_.size());
  }
  in_ = {};
  if (below_ && below_->pending() > 0) below_->flush();
}

void TlsStream::go_on() {
  if (!below_) return;
  in_ = kept_.view();
  take_input();
  if (below_ && !paused_) below_->resume();
}

// False: the handshake was put off, or has failed.
bool TlsStream::shake_hands() {
  if (!layer_.may_shake_hands()) {
    if (kept_.empty()) kept_.append(in_);
    in_ = {};
    below_->pause();
    layer_.put_off(*this);
    return false;
  }
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    established();
    return ssl_ != nullptr;
  }
  if (SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ) return true;
  if (is_client_) {
    fail(tls_failure(ssl_.get()));
  } else {
    const auto [fault, why] = handshake_fault(ssl_.get());
    note_fault(fault, why);
    end(runtime::Ended::error);
  }
  return false;
}

void TlsStream::note_fault(TlsFault fault, std::string_view why) {
  ++layer_.stats_.failed[static_cast<std::size_t>(fault)];
  if (layer_.failed_) layer_.failed_(peer_, fault, why);
}

void TlsStream::established() {
  SSL* ssl = ssl_.get();
  runtime::Security& security = security_.emplace();
  security.version = SSL_get_version(ssl);
  security.resumed = SSL_session_reused(ssl) == 1;
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  if (size > 0) security.protocol.assign(reinterpret_cast<const char*>(protocol), size);
  if (const char* host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
      host != nullptr && !is_client_) {
    security.host = host;
  }
  if (X509* certificate = SSL_get0_peer_certificate(ssl); certificate != nullptr && !is_client_) {
    const int bytes = i2d_X509(certificate, nullptr);
    if (bytes > 0) {
      security.certificate.resize(static_cast<std::size_t>(bytes));
      auto* to = reinterpret_cast<unsigned char*>(security.certificate.data());
      i2d_X509(certificate, &to);
    }
    drop_key(certificate);
  }
  ++layer_.stats_.handshakes;
  if (security.resumed) ++layer_.stats_.resumed;
  if (!output_.empty()) flush();
  user_->on_connected();
}

void TlsStream::read_plain() {
  std::uint8_t* const plain = layer_.plain_.get();
  while (ssl_ && !paused_) {
    std::size_t count = 0;
    int result = 1;
    while (count < limits::read_bytes) {
      std::size_t some = 0;
      ERR_clear_error();
      result = SSL_read_ex(ssl_.get(), plain + count, limits::read_bytes - count, &some);
      if (result != 1) break;
      count += some;
    }
    const int why = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
    if (count > 0) user_->on_input({plain, count});
    if (!ssl_ || why == SSL_ERROR_WANT_READ) return;
    if (why == SSL_ERROR_NONE) continue;
    // A peer that says goodbye ends the stream as one that closes does.
    if (why == SSL_ERROR_ZERO_RETURN) return end(runtime::Ended::by_peer);
    return fail(tls_failure(ssl_.get()));
  }
}

// ---- output

void TlsStream::write_output() {
  if (!security_ || !below_) return;
  if (!kept_.empty() && !paused_) {
    in_ = kept_.view();
    take_input();
    if (!below_) return;
  }
  encrypt(limits::tls_turn_bytes);
  write_through(*below_);
  if (!below_) return;
  if (!output_.empty() && below_->pending() == 0) {
    // The peer has taken all at once, so nobody will tell on_drained(): the rest goes in the next
    // turn, after others' input.
    owes_drained_ = true;
    flush();
  } else if (owes_drained_ && pending() == 0) {
    owes_drained_ = false;
    user_->on_drained();
  }
}

void TlsStream::encrypt(std::size_t below_max) {
  while (!output_.empty() && below_->pending() < below_max) {
    std::size_t written = 0;
    const std::size_t most = std::min(output_.size(), std::min(below_max, limits::tls_turn_bytes));
    ERR_clear_error();
    if (SSL_write_ex(ssl_.get(), output_.data(), most, &written) != 1) {
      ERR_clear_error();
      output_.clear();
      break;
    }
    output_.consume(written);
  }
  if (output_.empty()) give_back_output();
}

void TlsStream::on_drained() {
  if (!security_) return;
  owes_drained_ = !output_.empty();
  if (owes_drained_) return flush();
  if (user_ != nullptr) user_->on_drained();
}

// ---- TlsLayer

TlsLayer::TlsLayer(runtime::Loop& loop, std::shared_ptr<const TlsConfig> config)
    : loop_(loop),
      config_(std::move(config)),
      plain_(std::make_unique<std::uint8_t[]>(limits::read_bytes)) {}

TlsLayer::~TlsLayer() { *alive_ = false; }

runtime::StreamPtr TlsLayer::adopt(const runtime::Accepted& accepted,
                                   runtime::StreamHandler& handler) {
  auto* stream = new TlsStream(*this, handler, false);
  runtime::StreamPtr held(stream);
  stream->lie_on(loop_.adopt(accepted, *stream));
  return held;
}

runtime::StreamPtr TlsLayer::adopt(runtime::StreamPtr below, ByteView unread,
                                   runtime::StreamHandler& handler) {
  auto* stream = new TlsStream(*this, handler, false);
  runtime::StreamPtr held(stream);
  stream->open(std::move(below), unread);
  return held;
}

runtime::StreamPtr TlsLayer::connect(const runtime::Address& address, const std::string& name,
                                     runtime::StreamHandler& handler,
                                     std::shared_ptr<Session> session, Refused refused) {
  auto* stream = new TlsStream(*this, handler, true);
  runtime::StreamPtr held(stream);
  stream->set_name(name);
  stream->resume_with(std::move(session));
  stream->tell_refusal(std::move(refused));
  stream->lie_on(loop_.connect(address, *stream));
  return held;
}

std::shared_ptr<TlsLayer::Session> TlsLayer::make_session() { return std::make_shared<Session>(); }

bool TlsLayer::may_shake_hands() {
  if (turn_ != loop_.stats().turns) {
    turn_ = loop_.stats().turns;
    handshakes_ = 0;
  }
  return handshakes_++ < limits::handshakes_per_turn;
}

void TlsLayer::put_off(TlsStream& stream) {
  ++stats_.put_off;
  waiting_.push_back(&stream);
  if (std::exchange(posted_, true)) return;
  loop_.post([this, alive = alive_] {
    if (*alive) go_on();
  });
}

void TlsLayer::forget(TlsStream& stream) { std::erase(waiting_, &stream); }

// Those that do not get their turn now are put off again.
void TlsLayer::go_on() {
  posted_ = false;
  for (std::size_t left = waiting_.size(); left > 0 && !waiting_.empty(); --left) {
    TlsStream* stream = waiting_.front();
    waiting_.pop_front();
    stream->go_on();
  }
}

}  // namespace gnomon::net
