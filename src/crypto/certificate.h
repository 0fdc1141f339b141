// X.509 certificates: read, looked at, verified. What makes them is in crypto/issue.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/key.h"

namespace gnomon::crypto {

// The parts of a subject or issuer, as AWS IoT's policy variables name them.
enum class Attribute : std::uint8_t {
  common_name,
  country,
  organization,
  organizational_unit,
  state,
  locality,
  distinguished_name_qualifier,
  serial_number,
  title,
  surname,
  given_name,
  initials,
  pseudonym,
  generation_qualifier,
  other,
};

// A distinguished name. Every value is UTF-8 without NUL.
struct Name {
  struct Part {
    Attribute attribute = Attribute::other;
    std::string value;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;  // in the order of the certificate
  std::string text;         // RFC 2253, control characters escaped: for messages and the log
  std::string der;          // as it stands in the certificate

  // The first value, if there is one.
  [[nodiscard]] std::optional<std::string_view> find(Attribute attribute) const;
  [[nodiscard]] std::vector<std::string_view> all(Attribute attribute) const;
};

// An alternative name.
struct AlternativeName {
  enum class Kind : std::uint8_t { dns, ip, email, uri, directory };
  Kind kind = Kind::dns;
  std::string value;  // an address as inet_ntop writes it; a directory name as Name::text
  bool operator==(const AlternativeName&) const = default;
};

enum class Purpose : std::uint8_t { any, tls_client, tls_server };

// Certificate: one that could be read. That says nothing about who has signed it or when it holds.
// What is in it is read whole and once, within limits: there is no name that a later use would cut
// at a NUL, and no second encoding of the same certificate with another id.
// A value, immutable; copies share it. Any thread.
class Certificate {
 public:
  // Exactly one certificate in DER. Errors: invalid, with the reason: too long, not DER to its last
  // byte, a name that is not text or holds a NUL, an extension or a time that cannot be read, a key
  // of an unknown kind.
  static Result<Certificate> from_der(ByteView der);
  // The one certificate of a PEM text; blocks of other kinds and text between are skipped. Errors:
  // as from_der; none, or more than one.
  static Result<Certificate> from_pem(std::string_view pem);

  [[nodiscard]] const std::string& der() const;
  [[nodiscard]] std::string to_pem() const;
  // AWS IoT's certificate id: SHA-256 of the DER, 64 digits of lower-case hex.
  [[nodiscard]] const std::string& id() const;
  [[nodiscard]] const std::string& serial() const;  // lower-case hex, without leading zeros
  [[nodiscard]] const Name& subject() const;
  [[nodiscard]] const Name& issuer() const;
  // Kinds that we do not know are left out.
  [[nodiscard]] const std::vector<AlternativeName>& alternative_names() const;
  [[nodiscard]] const std::vector<AlternativeName>& issuer_alternative_names() const;
  [[nodiscard]] WallTime not_before() const;
  [[nodiscard]] WallTime not_after() const;  // the last second that it holds
  [[nodiscard]] const PublicKey& public_key() const;
  // Key identifiers of the certificate and of its issuer, lower-case hex; empty: none.
  [[nodiscard]] const std::string& subject_key_id() const;
  [[nodiscard]] const std::string& authority_key_id() const;
  // Of an authority with name constraints: the DNS names and addresses it may certify (of ranges of
  // addresses only those of one); empty: it has none.
  [[nodiscard]] const std::vector<std::string>& permitted_names() const;
  [[nodiscard]] bool is_ca() const;  // basic constraints CA:TRUE, and may sign certificates

  // Errors: denied ("… is valid only from …", "… expired on …").
  [[nodiscard]] Result<void> check_time(WallTime now) const;
  // Whether it may be used so, as far as it says (key usage, extended key usage). Errors: denied.
  [[nodiscard]] Result<void> check_purpose(Purpose purpose) const;
  // Whether `ca` has signed this: names, key identifiers, key usage and the signature. Costs one
  // verification, 0.1 ms for P-256. Says nothing of times.
  [[nodiscard]] bool issued_by(const Certificate& ca) const;

  bool operator==(const Certificate& other) const { return der() == other.der(); }

 private:
  friend class Native;
  struct State;
  explicit Certificate(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// The certificates of a PEM text in their order, at most limits::certificate_chain_max. Errors:
// invalid (as from_der, with the number of the certificate; none; too many).
Result<std::vector<Certificate>> read_certificates(std::string_view pem);

struct Verification {
  std::span<const Certificate> between;  // what may lead from the leaf to a trusted one
  std::span<const Certificate> trusted;  // any CA, also one that is not a root
  Purpose purpose = Purpose::any;
  WallTime now;
  std::string host;  // a DNS name or an address that the leaf must be for; empty: any
};
// Verifies `leaf` by OpenSSL: chain, times, purpose, constraints, host. Errors: denied, with the
// reason and the certificate it was found at.
Result<void> verify(const Certificate& leaf, const Verification& verification);

}  // namespace gnomon::crypto
