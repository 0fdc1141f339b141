// Keys of certificates: made, read, written. OpenSSL stays in the .cc files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gnomon::crypto {

class Native;  // the one door to OpenSSL's own objects, in crypto/native.h for our .cc files

enum class KeyKind : std::uint8_t { rsa, ec_p256, ec_p384, ec_p521, other };

// PublicKey: a value, immutable; copies share it. Any thread.
class PublicKey {
 public:
  [[nodiscard]] KeyKind kind() const;
  [[nodiscard]] int bits() const;
  // "EC P-256", "RSA with 2048 bits".
  [[nodiscard]] std::string text() const;
  // Whether devices may have it: RSA from 2,048 to 8,192 bits with an ordinary exponent, or P-256,
  // P-384, P-521 (AWS IoT: RSA of at least 2,048 bits, or these curves). Errors: invalid.
  [[nodiscard]] Result<void> check() const;
  [[nodiscard]] std::string to_pem() const;  // SubjectPublicKeyInfo ("BEGIN PUBLIC KEY")
  // The first 20 bytes of the SHA-256 of SubjectPublicKeyInfo, lower-case hex (after RFC 7093 §2):
  // what we write as key identifier. A certificate of others may carry another one.
  [[nodiscard]] std::string id() const;
  bool operator==(const PublicKey& other) const;

 private:
  friend class Native;
  struct State;
  explicit PublicKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// PrivateKey: a value, immutable; copies share it. Any thread.
class PrivateKey {
 public:
  // From OpenSSL's own generator, which the kernel seeds: not repeatable by a SeededRandom. P-256
  // takes about 50 µs; RSA of 2,048 bits 100 ms, up to a second: for the pool.
  static PrivateKey generate_ec_p256();
  static PrivateKey generate_rsa_2048();
  // Reads the first private key of a PEM text: PKCS#8, or the older "EC" and "RSA PRIVATE KEY".
  // Other blocks are skipped. Errors: invalid (none, damaged, encrypted, too long, of a kind that
  // PublicKey::kind does not name; its own public key does not fit it).
  static Result<PrivateKey> from_pem(std::string_view pem);
  [[nodiscard]] std::string to_pem() const;  // PKCS#8, not encrypted
  // "BEGIN RSA PRIVATE KEY" (PKCS#1) or "BEGIN EC PRIVATE KEY" (SEC 1): the form in which AWS IoT
  // hands out keys, and that some devices' firmware looks for.
  [[nodiscard]] std::string to_traditional_pem() const;
  [[nodiscard]] PublicKey public_key() const;

 private:
  friend class Native;
  struct State;
  explicit PrivateKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace gnomon::crypto
