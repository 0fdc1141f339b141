#include "crypto/hash.h"

#include <new>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace gnomon::crypto {

Sha256 sha256(ByteView bytes) {
  Sha256 hash;
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return hash;
}

Sha256 hmac_sha256(ByteView key, ByteView bytes) {
  // A key longer than a block is hashed first (RFC 2104 §2), which also keeps its size an int.
  if (key.size() > 64) {
    const Sha256 shorter = sha256(key);
    return hmac_sha256(shorter, bytes);
  }
  Sha256 hash;
  unsigned int size = 0;
  static const std::uint8_t none = 0;  // a null key would mean that of the call before
  if (HMAC(EVP_sha256(), key.empty() ? &none : key.data(), static_cast<int>(key.size()),
           bytes.data(), bytes.size(), hash.data(), &size) == nullptr) {
    throw std::bad_alloc();
  }
  return hash;
}

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex(ByteView bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace gnomon::crypto
