// What OpenSSL reads from and writes to. Internal to net.
#pragma once

#include "base/bytes.h"

struct ssl_st;
struct bio_st;

namespace gnomon::net {

// TlsBio: one end of an encrypted connection. OpenSSL reads what has arrived where it lies, and
// writes straight into somebody's output: there are no buffers between.
class TlsBio {
 public:
  TlsBio(const TlsBio&) = delete;
  TlsBio& operator=(const TlsBio&) = delete;

 protected:
  TlsBio() = default;
  ~TlsBio() = default;
  // From now on `ssl`, which ends before this, reads and writes here.
  void serve(ssl_st* ssl);
  // Where what is to be sent goes; null: nobody is there any more, and it is thrown away.
  virtual Buffer* encrypted_output() = 0;

  ByteView in_;  // encrypted, not read yet

 private:
  static int read(bio_st* bio, char* to, int size);
  static int write(bio_st* bio, const char* from, int size);
};

}  // namespace gnomon::net
