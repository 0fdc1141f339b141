// Certificate signing requests (PKCS#10, RFC 2986).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

namespace gnomon::crypto {

// What of a request goes into a certificate: its subject and its key. Extensions that it asks for
// are not read: what a certificate is for says who issues it.
struct Request {
  Name subject;  // may be empty
  PublicKey key;
};

// Reads the one request of a PEM text ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST") and checks
// that its key has signed it. Errors: invalid (none or more than one; longer than
// limits::request_pem_bytes_max; damaged; a subject that is not text or holds a NUL; a key that
// PublicKey::check refuses; a signature that does not fit).
Result<Request> read_request(std::string_view pem);

// A request for the key, whose subject is CN=`common_name`: for tests and rehearsals. Errors:
// invalid (a name that is not UTF-8 of 1 to 64 characters).
Result<std::string> write_request(const std::string& common_name, const PrivateKey& key);

}  // namespace gnomon::crypto
