// TlsConfig: OpenSSL's contexts.
#include "net/tls.h"

#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "net/tls_stream.h"

namespace gnomon::net {

namespace {

Error invalid(const std::string& what) {
  char reason[256] = "";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, reason, sizeof reason);
  }
  ERR_clear_error();
  return {Code::invalid, what + (reason[0] == 0 ? "" : ": " + std::string(reason))};
}

Held<BIO> reading(const std::string& text) {
  return Held<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<void> use_certificates(SSL_CTX* context, const std::string& pem, const std::string& key) {
  const Held<BIO> in = reading(pem);
  const Held<X509> leaf(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return invalid("the certificate is not PEM");
  }
  while (X509* next = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add0_chain_cert(context, next);
  }
  ERR_clear_error();  // the end of the file
  const Held<BIO> key_in = reading(key);
  const auto no_password = [](char*, int, int, void*) { return 0; };
  const Held<EVP_PKEY> made(PEM_read_bio_PrivateKey(key_in.get(), nullptr, no_password, nullptr));
  if (!made) return invalid("the key is not PEM, or has a password");
  if (SSL_CTX_use_PrivateKey(context, made.get()) != 1) {
    return invalid("the key is not that of the certificate");
  }
  return {};
}

Result<std::string> on_the_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      return Error{Code::invalid, "an ALPN protocol is empty or too long"};
    }
    wire.push_back(static_cast<char>(protocol.size()));
    wire += protocol;
  }
  return wire;
}

// RFC 7301 §3.2: the server's dearest that the client offers; none: an alert.
int choose(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
           unsigned in_size, void* ours) {
  const auto& wire = *static_cast<const std::string*>(ours);
  const auto* mine = reinterpret_cast<const unsigned char*>(wire.data());
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, mine,
                                          static_cast<unsigned>(wire.size()), in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void common(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // An idle connection holds no record buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL");
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

}  // namespace

TlsConfig::TlsConfig(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsConfig::~TlsConfig() = default;

Result<std::shared_ptr<const TlsConfig>> TlsConfig::server(const Server& server) {
  auto state = std::make_unique<State>();
  state->context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = state->context.get();
  if (context == nullptr) return invalid("no TLS context");
  common(context);
  if (auto used = use_certificates(context, server.certificates, server.key); !used) {
    return used.error();
  }
  auto wire = on_the_wire(server.protocols);
  if (!wire) return wire.error();
  state->protocols = std::move(*wire);
  if (!state->protocols.empty()) {
    SSL_CTX_set_alpn_select_cb(context, choose, &state->protocols);
  }
  // Sessions are in their tickets, the client's certificate too; nothing is kept here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  constexpr unsigned char name[] = "gnomon";
  SSL_CTX_set_session_id_context(context, name, sizeof name - 1);
  if (server.ask_for_certificate) {
    // Who it is is decided later, from the certificate: the handshake shows that the peer has its
    // key.
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_cert_verify_callback(
        context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  }
  return std::shared_ptr<const TlsConfig>(new TlsConfig(std::move(state)));
}

Result<std::shared_ptr<const TlsConfig>> TlsConfig::client(const Client& client) {
  auto state = std::make_unique<State>();
  state->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = state->context.get();
  if (context == nullptr) return invalid("no TLS context");
  common(context);
  if (!client.certificates.empty()) {
    if (auto used = use_certificates(context, client.certificates, client.key); !used) {
      return used.error();
    }
  }
  if (client.authorities.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else {
    const Held<BIO> in = reading(client.authorities);
    int count = 0;
    while (const Held<X509> authority{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)}) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
      ++count;
    }
    ERR_clear_error();
    if (count == 0) return invalid("the authorities are not PEM");
  }
  SSL_CTX_set_verify(context, client.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  auto wire = on_the_wire(client.protocols);
  if (!wire) return wire.error();
  if (!wire->empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(wire->data()),
                            static_cast<unsigned>(wire->size()));
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  state->verify_name = client.verify && client.verify_name;
  return std::shared_ptr<const TlsConfig>(new TlsConfig(std::move(state)));
}

}  // namespace gnomon::net
