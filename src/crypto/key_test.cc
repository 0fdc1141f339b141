#include "crypto/key.h"

#include <string>

#include <doctest/doctest.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/limits.h"
#include "crypto/native.h"

namespace gnomon::crypto {
namespace {

// Whatever a call did, it leaves OpenSSL's queue of errors empty for the next TLS connection.
struct NoErrorsLeft {
  ~NoErrorsLeft() { CHECK(ERR_peek_error() == 0); }
};

std::string traditional_pem(EVP_PKEY* key, const EVP_CIPHER* cipher = nullptr) {
  const auto out = writer();
  unsigned char word[] = "secret";
  PEM_write_bio_PrivateKey_traditional(out.get(), key, cipher, word, 6, nullptr, nullptr);
  return written(out.get());
}

std::string encrypted_pem(EVP_PKEY* key) {
  const auto out = writer();
  PEM_write_bio_PKCS8PrivateKey(out.get(), key, EVP_aes_128_cbc(), "secret", 6, nullptr, nullptr);
  return written(out.get());
}

std::string error_of(std::string_view pem) {
  const auto key = PrivateKey::from_pem(pem);
  REQUIRE_FALSE(key);
  CHECK(key.error().code == Code::invalid);
  return key.error().message;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("A P-256 key survives PEM") {
  const NoErrorsLeft empty;
  const PrivateKey key = PrivateKey::generate_ec_p256();
  CHECK(key.public_key().kind() == KeyKind::ec_p256);
  CHECK(key.public_key().bits() == 256);
  CHECK(key.public_key().text() == "EC P-256");
  CHECK(key.public_key().check());
  CHECK(key.public_key().id().size() == 40);
  const std::string pem = key.to_pem();
  CHECK(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
  const auto again = PrivateKey::from_pem(pem);
  REQUIRE(again);
  CHECK(again->to_pem() == pem);
  CHECK(again->public_key() == key.public_key());
  CHECK_FALSE(PrivateKey::generate_ec_p256().public_key() == key.public_key());
  CHECK(key.public_key().to_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
}

TEST_CASE("An RSA key of 2,048 bits survives PEM") {
  const PrivateKey key = PrivateKey::generate_rsa_2048();
  CHECK(key.public_key().text() == "RSA with 2048 bits");
  CHECK(key.public_key().check());
  const auto again = PrivateKey::from_pem(key.to_pem());
  REQUIRE(again);
  CHECK(again->public_key() == key.public_key());
}

TEST_CASE("Older forms and text around a key are read") {
  const NoErrorsLeft empty;
  const PrivateKey key = PrivateKey::generate_ec_p256();
  const std::string old = traditional_pem(Native::of(key));
  CHECK(old.starts_with("-----BEGIN EC PRIVATE KEY-----"));
  const std::string around = "# mine\n" + key.public_key().to_pem() + "\n" + old + "more\n";
  for (const std::string& text : {old, around}) {
    const auto read = PrivateKey::from_pem(text);
    REQUIRE(read);
    CHECK(read->public_key() == key.public_key());
  }
}

TEST_CASE("What is no key is refused with the reason") {
  const NoErrorsLeft empty;
  const PrivateKey key = PrivateKey::generate_ec_p256();
  const std::string pem = key.to_pem();
  CHECK(has(error_of(""), "no block"));
  CHECK(has(error_of("hello"), "no block"));
  CHECK(has(error_of(key.public_key().to_pem()), "no block"));
  CHECK(has(error_of(encrypted_pem(Native::of(key))), "encrypted"));
  CHECK(has(error_of(traditional_pem(Native::of(key), EVP_aes_128_cbc())), "encrypted"));
  CHECK(has(error_of(std::string(limits::pem_text_bytes_max + 1, 'x')), "longer"));
  CHECK(has(error_of(write_pem("PRIVATE KEY", as_bytes("nonsense"))), "damaged"));
  for (std::size_t size = pem.find('\n') + 1; size < pem.size() - 1; size += 7)
    error_of(std::string_view(pem).substr(0, size));
}

TEST_CASE("A key whose halves do not fit, and kinds that nobody may have, are refused") {
  const NoErrorsLeft empty;
  const PrivateKey key = PrivateKey::generate_ec_p256();
  auto blocks = read_pem(key.to_pem(), 10'000);
  REQUIRE(blocks);
  std::string der = blocks->front().bytes;
  der[40] ^= 1;  // in the private number; the public point follows
  CHECK(has(error_of(write_pem("PRIVATE KEY", as_bytes(der))), "do not fit"));
  CHECK(has(error_of(write_pem("PRIVATE KEY", as_bytes(blocks->front().bytes + "x"))), "damaged"));
  const Held<EVP_PKEY> other(EVP_EC_gen("secp256k1"));
  CHECK(has(error_of(traditional_pem(other.get())), "neither RSA nor EC"));
}

TEST_CASE("Weak and strange public keys are told apart") {
  const NoErrorsLeft empty;
  const Held<EVP_PKEY> small(EVP_RSA_gen(1024)), curve(EVP_EC_gen("secp256k1")),
      p384(EVP_EC_gen("P-384")), p521(EVP_EC_gen("P-521")),
      edwards(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const auto check = [](EVP_PKEY* key) { return Native::public_key(key)->check(); };
  CHECK(has(check(small.get()).error().message, "RSA with 1024 bits"));
  CHECK_FALSE(check(curve.get()));
  CHECK(has(check(edwards.get()).error().message, "ED25519"));
  CHECK(check(p384.get()));
  CHECK(check(p521.get()));
}

}  // namespace
}  // namespace gnomon::crypto
