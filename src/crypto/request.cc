#include "crypto/request.h"

#include <openssl/x509.h>

#include "base/limits.h"
#include "crypto/native.h"

namespace gnomon::crypto {

namespace {

Error bad(const std::string& why) {
  return {Code::invalid, "this is not a certificate signing request that can be used: " + why};
}

Result<Request> read(const PemBlock& block) {
  const auto* at = reinterpret_cast<const unsigned char*>(block.bytes.data());
  const unsigned char* const end = at + block.bytes.size();
  const Held<X509_REQ> request(d2i_X509_REQ(nullptr, &at, static_cast<long>(block.bytes.size())));
  if (!request) return bad("it is not DER");
  if (at != end) return bad("bytes follow behind its end");
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr) return bad("its public key cannot be read, or is of an unknown kind");
  auto half = Native::public_key(key);
  if (!half) return bad(half.error().message);
  // Before anything is computed with it.
  if (auto checked = half->check(); !checked) return bad(checked.error().message);
  if (X509_REQ_verify(request.get(), Native::of(*half)) != 1)
    return bad("it is not signed by the key that it holds");
  auto subject = Native::name(X509_REQ_get_subject_name(request.get()));
  if (!subject) return bad("its subject holds what is no text, or a NUL");
  return Request{std::move(*subject), std::move(half).value()};
}

}  // namespace

Result<Request> read_request(std::string_view pem) {
  const ErrorsGone gone;
  const auto blocks = read_pem(pem, limits::request_pem_bytes_max);
  if (!blocks) return bad(blocks.error().message);
  const PemBlock* found = nullptr;
  for (const PemBlock& block : *blocks) {
    if (!block.label.ends_with("CERTIFICATE REQUEST")) continue;
    if (found != nullptr) return bad("there is more than one");
    found = &block;
  }
  if (found == nullptr) return bad("there is no block \"-----BEGIN CERTIFICATE REQUEST-----\"");
  return read(*found);
}

Result<std::string> write_request(const std::string& common_name, const PrivateKey& key) {
  const ErrorsGone gone;
  const Held<X509_REQ> request(made(X509_REQ_new()));
  done(X509_REQ_set_pubkey(request.get(), Native::of(key)));
  // The library holds the bounds of RFC 5280.
  if (X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request.get()), NID_commonName,
                                 MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    return Error{Code::invalid, "the name of a request must be UTF-8 with 1 to 64 characters"};
  }
  done(X509_REQ_sign(request.get(), Native::of(key), EVP_sha256()));
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_REQ(request.get(), &bytes);
  done(size);
  std::string pem = write_pem("CERTIFICATE REQUEST", {bytes, static_cast<std::size_t>(size)});
  OPENSSL_free(bytes);
  return pem;
}

}  // namespace gnomon::crypto
