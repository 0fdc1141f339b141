// The options of TLS that pub, sub and bench share, named as users of mosquitto know them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/arguments.h"
#include "client/client.h"
#include "net/tls.h"

namespace gnomon::cli {

struct TlsArguments {
  std::optional<std::string> cafile, capath, cert, key, alpn;
  bool insecure = false, os_certs = false;

  // Declares them. Outlives arguments.read().
  void declare(Arguments& arguments);
  // True if one was given: then TLS is meant.
  [[nodiscard]] bool given() const {
    return cafile || capath || cert || key || alpn || insecure || os_certs;
  }
  // "" or what does not go together.
  [[nodiscard]] std::string wrong() const;
  // Reads the files. Errors: unavailable (a file that cannot be read), invalid (what is in it); the
  // message names option, file and remedy.
  [[nodiscard]] Result<std::shared_ptr<const net::TlsConfig>> config() const;
  // Why a connection failed, with what may help.
  [[nodiscard]] std::string explain(const client::Closed& why) const;
};

}  // namespace gnomon::cli
