// Connections: the clients of the broker, as operations see them. An interface for the server to
// plug in.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace gnomon::operations {

// Whom an operation ends, and what becomes of the rest of it. A value.
struct Disconnection {
  std::string client_id;
  bool clean_session = false;  // the session ends, too, of a client that is away as well
  bool prevent_will = false;
};

// Threads: any.
class Connections {
 public:
  virtual ~Connections() = default;
  // `told` is called once, on any thread, when the connection has ended, and the session if that
  // was wanted, durably. Errors: not_found (it is not connected and has no session).
  using Told = std::function<void(Result<void>)>;
  virtual void end(Disconnection disconnection, Told told) = 0;
};

}  // namespace gnomon::operations
