// DATA/ready.json: the ready line of the server that runs on a data folder, for commands on the
// same machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gnomon::server {

// Writes it, mode 0600. Owner: whoever holds the folder's lock. Errors: unavailable.
Result<void> write_ready_file(const std::string& folder, std::string_view ready_line);
// Removes it; what cannot be removed is taken for stale all the same, once the lock is free.
void remove_ready_file(const std::string& folder);

// RunningServer: what the ready line says. A value.
struct RunningServer {
  std::optional<std::string> mqtt, mqtts, http, admin;  // where it listens; nullopt: off
  std::vector<std::string> https;
  std::string ca;  // the path of the root certificate
  std::string account, region;
  int pid = 0;
};

// The server that runs on `folder` and is ready. A file that a server left which was killed does
// not pass for one: the folder's lock must be held, by the process that the file names. Errors:
// not_found (no folder; nobody runs there, or is not ready yet), unavailable (damaged, not ours to
// read); the message says what to do.
Result<RunningServer> find_server(const std::string& folder);

}  // namespace gnomon::server
