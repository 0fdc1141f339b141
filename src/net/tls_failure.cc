// What both clients of TLS have in common: whom they ask for, sessions, and why it failed.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/tls_stream.h"

namespace gnomon::net {

void ask_for(SSL* ssl, const std::string& name, bool verify) {
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
  if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str()); address != nullptr) {
    ASN1_OCTET_STRING_free(address);
    if (verify) X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str());
    return;  // RFC 6066 §3: no SNI for addresses
  }
  ERR_clear_error();
  if (verify) SSL_set1_host(ssl, name.c_str());
  SSL_set_tlsext_host_name(ssl, name.c_str());
}

void use_session(SSL* ssl, TlsLayer::Session* session) {
  SSL_set_app_data(ssl, session);
  if (session != nullptr && session->session) SSL_set_session(ssl, session->session.get());
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* kept = static_cast<TlsLayer::Session*>(SSL_get_app_data(ssl));
  if (kept == nullptr) return 0;
  kept->session.reset(session);  // its reference is ours now
  return 1;
}

namespace {

// Why the server's certificate does not verify.
std::string judgement(SSL* ssl) {
  const long why = SSL_get_verify_result(ssl);
  X509_VERIFY_PARAM* wanted = SSL_get0_param(ssl);
  if (why == X509_V_ERR_HOSTNAME_MISMATCH)
    return std::string("is not for ") + X509_VERIFY_PARAM_get0_host(wanted, 0);
  if (why == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    char* address = X509_VERIFY_PARAM_get1_ip_asc(wanted);
    std::string text = std::string("is not for ") + address;
    OPENSSL_free(address);
    return text;
  }
  return std::string("does not verify: ") + X509_verify_cert_error_string(why);
}

}  // namespace

Error tls_failure(SSL* ssl) {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const char* words = ERR_reason_error_string(code);
  std::string text = words == nullptr ? "the connection broke" : words;
  ERR_clear_error();
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return {Code::unavailable, "TLS failed: " + text};
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
    return {Code::denied, "the server's certificate " + judgement(ssl)};
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
    return {Code::unavailable, "the server does not speak TLS there"};
  // RFC 8446 §6.2: what the other end has sent before it closed.
  if (reason > SSL_AD_REASON_OFFSET) return {Code::unavailable, "the server refuses TLS: " + text};
  return {Code::unavailable, "TLS failed: " + text};
}

}  // namespace gnomon::net
