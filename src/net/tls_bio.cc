#include "net/tls_bio.h"

#include <algorithm>

#include <openssl/bio.h>
#include <openssl/ssl.h>

namespace gnomon::net {

namespace {

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

int TlsBio::read(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  ByteView& in = static_cast<TlsBio*>(BIO_get_data(bio))->in_;
  if (in.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t count = std::min(in.size(), static_cast<std::size_t>(size));
  std::copy_n(in.data(), count, reinterpret_cast<std::uint8_t*>(to));
  in = in.subspan(count);
  return static_cast<int>(count);
}

int TlsBio::write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  Buffer* const out = static_cast<TlsBio*>(BIO_get_data(bio))->encrypted_output();
  if (out != nullptr) out->append(from, static_cast<std::size_t>(size));
  return size;
}

void TlsBio::serve(SSL* ssl) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes");
    BIO_meth_set_read(made, read);
    BIO_meth_set_write(made, write);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
}

}  // namespace gnomon::net
