// Making certificates: an authority's, a server's, a device's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

namespace gnomon::crypto {

// A certificate that signs others, with its key.
struct Authority {
  Certificate certificate;
  PrivateKey key;
};

enum class Profile : std::uint8_t {
  root,       // CA; signs authorities
  server_ca,  // CA for servers of `names` only (serverAuth, name constraints); signs no authorities
  device_ca,  // CA for devices (clientAuth); signs no authorities
  server,     // TLS servers of `names`
  device,     // TLS clients
};

struct Issue {
  Profile profile = Profile::device;
  std::string common_name;         // UTF-8, 1 to 64 characters (RFC 5280: ub-common-name)
  std::vector<std::string> names;  // of server and server_ca: DNS names ("*.x" too) and addresses
  WallTime from, until;            // in whole seconds; `until` is the last that it holds
  // The subject of a request in DER (Name::der), in place of common_name; empty: there is none.
  std::string subject_der{};
};

// Where AWS IoT's certificates end, the last second that the short form of time can say.
constexpr WallTime far_end{2'524'607'999'000};  // 2049-12-31T23:59:59Z

// Makes a certificate for `key`: version 3, a random serial number of 128 bits, key identifiers,
// signed by `authority` with SHA-256. Errors: invalid (a name or a time that cannot be; one that
// outlives its authority; a key that PublicKey::check refuses).
Result<Certificate> issue(const Issue& what, const PublicKey& key, const Authority& authority,
                          Random& random);
// The same, signed by its own key: for root and device_ca.
Result<Certificate> self_sign(const Issue& what, const PrivateKey& key, Random& random);

// A DNS name as it stands in certificates (lower case, no dot at its end), or an address as
// inet_ntop writes it. Takes letters, digits, '-' and '_' in labels of up to 63, and "*." in front.
// Errors: invalid, with what is allowed.
Result<std::string> server_name(std::string_view text);
[[nodiscard]] bool is_address(std::string_view name);  // IPv4 or IPv6

}  // namespace gnomon::crypto
