#include "crypto/seal.h"

#include <climits>
#include <memory>
#include <span>

#include <openssl/evp.h>

#include "crypto/hash.h"
#include "crypto/native.h"

namespace gnomon::crypto {

namespace {

constexpr char version = 1;
constexpr std::size_t salt_size = 12, nonce_size = 12, tag_size = 16;
constexpr std::size_t head_size = 1 + salt_size + nonce_size;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const std::uint8_t* in(std::string_view text) { return as_bytes(text).data(); }
std::uint8_t* out(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

// OpenSSL counts in int; what is sealed here is a few KiB.
bool fits(std::string_view a, std::string_view b) {
  return a.size() < INT_MAX && b.size() < INT_MAX;
}
int size_of(std::string_view text) { return static_cast<int>(text.size()); }

// For the text whose head this is: whoever changes that has another key or nonce.
Cipher begin(const MasterKey& key, std::string_view head, std::string_view associated,
             bool encrypts) {
  const Sha256 derived = hmac_sha256(key, as_bytes(head.substr(0, 1 + salt_size)));
  Cipher cipher(made(EVP_CIPHER_CTX_new()));
  done(EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, derived.data(),
                         in(head.substr(1 + salt_size)), encrypts ? 1 : 0));
  int size = 0;
  if (!associated.empty())
    done(EVP_CipherUpdate(cipher.get(), nullptr, &size, in(associated), size_of(associated)));
  return cipher;
}

// The text in and the text out are of one size.
std::string crypt(EVP_CIPHER_CTX* cipher, std::string_view text) {
  std::string crypted(text.size(), '\0');
  int size = 0;
  if (!text.empty()) done(EVP_CipherUpdate(cipher, out(crypted), &size, in(text), size_of(text)));
  return crypted;
}

}  // namespace

std::string Sealer::seal(std::string_view text, std::string_view associated, Random& random) const {
  if (!fits(text, associated)) throw std::bad_alloc();
  const ErrorsGone gone;
  std::string sealed(head_size, version);
  random.fill(std::span(out(sealed), head_size).subspan(1));
  const Cipher cipher = begin(key_, sealed, associated, true);
  sealed += crypt(cipher.get(), text);
  std::string tag(tag_size, '\0');
  int size = 0;
  done(EVP_CipherFinal_ex(cipher.get(), out(tag), &size));
  done(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_size, tag.data()));
  return sealed += tag;
}

std::optional<std::string> Sealer::open(std::string_view sealed,
                                        std::string_view associated) const {
  if (sealed.size() < head_size + tag_size || sealed[0] != version || !fits(sealed, associated))
    return std::nullopt;
  const ErrorsGone gone;
  const std::string_view head = sealed.substr(0, head_size);
  std::string tag(sealed.substr(sealed.size() - tag_size));
  sealed.remove_prefix(head_size);
  sealed.remove_suffix(tag_size);
  const Cipher cipher = begin(key_, head, associated, false);
  std::string text = crypt(cipher.get(), sealed);
  done(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()));
  int size = 0;
  std::uint8_t nothing = 0;
  if (EVP_CipherFinal_ex(cipher.get(), &nothing, &size) != 1) return std::nullopt;
  return text;
}

}  // namespace gnomon::crypto
