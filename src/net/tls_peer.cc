// What of a client's certificate a connection goes on holding. OpenSSL's old interface to keys is
// the only one that can put a key into a certificate without encoding it anew each time.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>

#include "net/tls_stream.h"

namespace gnomon::net {

namespace {

// Any key. Null: there is no memory.
EVP_PKEY* placeholder() {
  static EVP_PKEY* const shared = []() -> EVP_PKEY* {
    EC_KEY* made = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY* key = EVP_PKEY_new();
    if (made == nullptr || key == nullptr || EC_KEY_generate_key(made) != 1 ||
        EVP_PKEY_assign_EC_KEY(key, made) != 1) {
      return nullptr;  // once in a process, if ever: not freed
    }
    return key;
  }();
  return shared;
}

}  // namespace

void drop_key(x509_st* certificate) {
  if (EVP_PKEY* key = placeholder()) X509_set_pubkey(certificate, key);
}

}  // namespace gnomon::net
