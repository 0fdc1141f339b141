#include "crypto/native.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pemerr.h>
#include <openssl/x509.h>

namespace gnomon::crypto {

void Free::operator()(bio_st* object) const { BIO_free_all(object); }
void Free::operator()(evp_pkey_ctx_st* object) const { EVP_PKEY_CTX_free(object); }
void Free::operator()(evp_pkey_st* object) const { EVP_PKEY_free(object); }
void Free::operator()(x509_st* object) const { X509_free(object); }
void Free::operator()(X509_req_st* object) const { X509_REQ_free(object); }

ErrorsGone::~ErrorsGone() { ERR_clear_error(); }

Held<bio_st> writer() { return Held<bio_st>(made(BIO_new(BIO_s_mem()))); }

std::string written(bio_st* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

Result<std::vector<PemBlock>> read_pem(std::string_view text, std::size_t bytes_max) {
  const ErrorsGone gone;
  if (text.size() > bytes_max) {
    return Error{Code::invalid, "it is longer than " + std::to_string(bytes_max) + " bytes"};
  }
  std::vector<PemBlock> blocks;
  const Held<BIO> bio(made(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))));
  char *label = nullptr, *header = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;
  while (PEM_read_bio(bio.get(), &label, &header, &bytes, &size) == 1) {
    blocks.push_back(
        {label, header, {reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size)}});
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_clear_free(bytes, static_cast<std::size_t>(size));
  }
  // The end of the text looks like this; all else is a block that was begun.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return Error{Code::invalid, "it holds a damaged PEM block"};
  }
  return blocks;
}

std::string write_pem(const char* label, ByteView bytes) {
  const ErrorsGone gone;
  const auto out = writer();
  done(PEM_write_bio(out.get(), label, "", bytes.data(), static_cast<long>(bytes.size())));
  return written(out.get());
}

}  // namespace gnomon::crypto
