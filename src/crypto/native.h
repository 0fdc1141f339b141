// OpenSSL's own objects behind our types: for the .cc files of this module. Named here by their
// struct tags, so that no header of ours includes one of OpenSSL's.
#pragma once

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

struct bio_st;
struct evp_pkey_ctx_st;
struct evp_pkey_st;
struct x509_st;
struct X509_name_st;
struct X509_req_st;

namespace gnomon::crypto {

struct Free {
  void operator()(bio_st* object) const;
  void operator()(evp_pkey_ctx_st* object) const;
  void operator()(evp_pkey_st* object) const;
  void operator()(x509_st* object) const;
  void operator()(X509_req_st* object) const;
};
template <class T>
using Held = std::unique_ptr<T, Free>;

// Native: OpenSSL's object of ours. It is shared and immutable: for calls that only read it.
class Native {
 public:
  static evp_pkey_st* of(const PublicKey& key);
  static evp_pkey_st* of(const PrivateKey& key);
  static x509_st* of(const Certificate& certificate);
  // Takes a copy of the public half. Errors: invalid (none that could be written again).
  static Result<PublicKey> public_key(evp_pkey_st* key);
  static PrivateKey private_key(Held<evp_pkey_st> key);
  // Nothing: it holds what is no text, or a NUL.
  static std::optional<Name> name(const X509_name_st* from);
};

// Leaves this thread without errors in OpenSSL's queue: what stays there is taken by a TLS
// connection for its own.
struct ErrorsGone {
  ErrorsGone() = default;
  ErrorsGone(const ErrorsGone&) = delete;
  ErrorsGone& operator=(const ErrorsGone&) = delete;
  ~ErrorsGone();
};

// Throw std::bad_alloc if a call failed where no memory is the only reason.
template <class T>
T* made(T* object) {
  if (object == nullptr) throw std::bad_alloc();
  return object;
}
inline void done(int status) {
  if (status <= 0) throw std::bad_alloc();
}

Held<bio_st> writer();
std::string written(bio_st* bio);

// One block of a PEM text.
struct PemBlock {
  std::string label;   // "CERTIFICATE"
  std::string header;  // "Proc-Type: …": encrypted
  std::string bytes;
};
// All blocks. Errors: invalid (longer than `bytes_max`, a damaged block).
Result<std::vector<PemBlock>> read_pem(std::string_view text, std::size_t bytes_max);
std::string write_pem(const char* label, ByteView bytes);

}  // namespace gnomon::crypto
