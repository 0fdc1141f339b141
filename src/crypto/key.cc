#include "crypto/key.h"

#include <array>
#include <span>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/limits.h"
#include "crypto/hash.h"
#include "crypto/native.h"

namespace gnomon::crypto {

struct PublicKey::State {
  Held<EVP_PKEY> key;
  std::string der;  // SubjectPublicKeyInfo
  KeyKind kind = KeyKind::other;
  int bits = 0;
};

struct PrivateKey::State {
  State(Held<EVP_PKEY> k, PublicKey p) : key(std::move(k)), public_key(std::move(p)) {}
  Held<EVP_PKEY> key;
  PublicKey public_key;
};

namespace {

std::string der_of(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  if (size <= 0) return "";
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

KeyKind kind_of(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return KeyKind::rsa;
    case EVP_PKEY_EC:
      break;
    default:
      return KeyKind::other;
  }
  std::array<char, 64> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) return KeyKind::other;
  const std::string_view curve(name.data(), size);
  if (curve == SN_X9_62_prime256v1) return KeyKind::ec_p256;
  if (curve == SN_secp384r1) return KeyKind::ec_p384;
  if (curve == SN_secp521r1) return KeyKind::ec_p521;
  return KeyKind::other;
}

// Odd, above 1, at most 32 bits: others make a verification weak or long.
bool has_ordinary_exponent(EVP_PKEY* key) {
  BIGNUM* exponent = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1) return false;
  const bool ordinary = BN_is_odd(exponent) && !BN_is_one(exponent) && BN_num_bits(exponent) <= 32;
  BN_free(exponent);
  return ordinary;
}

Error no_key(const std::string& why) {
  return {Code::invalid, "this is not a private key in PEM form: " + why};
}

Result<PrivateKey> read_key(const PemBlock& block) {
  if (block.label == "ENCRYPTED PRIVATE KEY" || !block.header.empty()) {
    return no_key("it is encrypted, and keys with a passphrase are not read");
  }
  const auto* at = reinterpret_cast<const unsigned char*>(block.bytes.data());
  const unsigned char* const end = at + block.bytes.size();
  Held<EVP_PKEY> key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(block.bytes.size())));
  if (!key || at != end) return no_key("its content is damaged, or of an unknown kind");
  // Before anything is computed with it.
  if (EVP_PKEY_get_bits(key.get()) > limits::rsa_bits_max) {
    return no_key("it has more than " + std::to_string(limits::rsa_bits_max) + " bits");
  }
  if (kind_of(key.get()) == KeyKind::other) {
    return no_key("it is neither RSA nor EC P-256, P-384 or P-521");
  }
  const Held<EVP_PKEY_CTX> context(made(EVP_PKEY_CTX_new(key.get(), nullptr)));
  if (EVP_PKEY_pairwise_check(context.get()) != 1) return no_key("its two halves do not fit");
  return Native::private_key(std::move(key));
}

}  // namespace

EVP_PKEY* Native::of(const PublicKey& key) { return key.state_->key.get(); }
EVP_PKEY* Native::of(const PrivateKey& key) { return key.state_->key.get(); }

Result<PublicKey> Native::public_key(EVP_PKEY* key) {
  auto state = std::make_shared<PublicKey::State>();
  state->der = der_of(key);
  const auto* at = reinterpret_cast<const unsigned char*>(state->der.data());
  state->key.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(state->der.size())));
  if (!state->key) return Error{Code::invalid, "the public key cannot be read"};
  state->kind = kind_of(state->key.get());
  state->bits = EVP_PKEY_get_bits(state->key.get());
  return PublicKey(std::move(state));
}

PrivateKey Native::private_key(Held<EVP_PKEY> key) {
  auto half = public_key(key.get());
  if (!half) throw std::bad_alloc();
  return PrivateKey(
      std::make_shared<const PrivateKey::State>(std::move(key), std::move(half).value()));
}

KeyKind PublicKey::kind() const { return state_->kind; }
int PublicKey::bits() const { return state_->bits; }

std::string PublicKey::text() const {
  switch (state_->kind) {
    case KeyKind::rsa:
      return "RSA with " + std::to_string(state_->bits) + " bits";
    case KeyKind::ec_p256:
      return "EC P-256";
    case KeyKind::ec_p384:
      return "EC P-384";
    case KeyKind::ec_p521:
      return "EC P-521";
    case KeyKind::other:
      break;
  }
  const char* name = EVP_PKEY_get0_type_name(state_->key.get());
  return std::string(name == nullptr ? "unknown" : name) + " with " + std::to_string(state_->bits) +
         " bits";
}

Result<void> PublicKey::check() const {
  const ErrorsGone gone;
  bool allowed = state_->kind != KeyKind::other;
  if (state_->kind == KeyKind::rsa) {
    allowed = state_->bits >= limits::rsa_bits_least && state_->bits <= limits::rsa_bits_max &&
              has_ordinary_exponent(state_->key.get());
  }
  if (allowed) return {};
  return Error{Code::invalid, "the key is " + text() + "; it must be RSA with " +
                                  std::to_string(limits::rsa_bits_least) + " to " +
                                  std::to_string(limits::rsa_bits_max) +
                                  " bits and an ordinary exponent, or EC P-256, P-384 or P-521"};
}

std::string PublicKey::to_pem() const { return write_pem("PUBLIC KEY", as_bytes(state_->der)); }

std::string PublicKey::id() const {
  const Sha256 hash = sha256(as_bytes(state_->der));
  return hex(std::span(hash).first(20));
}

bool PublicKey::operator==(const PublicKey& other) const {
  return state_->der == other.state_->der;
}

PrivateKey PrivateKey::generate_ec_p256() {
  const ErrorsGone gone;
  return Native::private_key(Held<EVP_PKEY>(made(EVP_EC_gen("P-256"))));
}

PrivateKey PrivateKey::generate_rsa_2048() {
  const ErrorsGone gone;
  return Native::private_key(Held<EVP_PKEY>(made(EVP_RSA_gen(2048))));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  const ErrorsGone gone;
  auto blocks = read_pem(pem, limits::pem_text_bytes_max);
  if (!blocks) return no_key(blocks.error().message);
  for (const PemBlock& block : *blocks) {
    if (block.label.ends_with("PRIVATE KEY")) return read_key(block);
  }
  return no_key("there is no block \"-----BEGIN PRIVATE KEY-----\"");
}

std::string PrivateKey::to_pem() const {
  const ErrorsGone gone;
  PKCS8_PRIV_KEY_INFO* info = made(EVP_PKEY2PKCS8(state_->key.get()));
  unsigned char* bytes = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info, &bytes);
  PKCS8_PRIV_KEY_INFO_free(info);
  done(size);
  std::string pem = write_pem("PRIVATE KEY", {bytes, static_cast<std::size_t>(size)});
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
  return pem;
}

std::string PrivateKey::to_traditional_pem() const {
  const ErrorsGone gone;
  unsigned char* bytes = nullptr;
  const int size = i2d_PrivateKey(state_->key.get(), &bytes);
  done(size);
  const bool rsa = state_->public_key.kind() == KeyKind::rsa;
  std::string pem = write_pem(rsa ? "RSA PRIVATE KEY" : "EC PRIVATE KEY",
                              {bytes, static_cast<std::size_t>(size)});
  OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
  return pem;
}

PublicKey PrivateKey::public_key() const { return state_->public_key; }

}  // namespace gnomon::crypto
