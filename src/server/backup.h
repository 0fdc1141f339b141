// Backups on request: `POST /backup?to=FOLDER` on the admin listener, and the work itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"
#include "store/store.h"

namespace gnomon::server {

// Copies the store to the new folder `target`, as of one moment and while it works. Returns a line
// for a person: where the backup is, its bytes and how long it took. Blocks. Errors: invalid
// (`target` is in the data folder `data`), and those of store::write_backup.
Result<std::string> back_up(store::Store& store, const std::string& data, const std::string& target,
                            const MonotonicClock& clock);

// "12345678 bytes in 0.312 s", for what is in `folder`.
[[nodiscard]] std::string amount_and_time(const std::filesystem::path& folder, Duration took);

// The folder that a request wants a backup in, an absolute path; or an error, whose response
// refusal() makes (admin_request.h). `data`: the folder of this server. The request may name the
// one it means
// (`&data=FOLDER`): that of another server is not_found. Errors else: invalid, and those of
// check_sender().
Result<std::string> read_backup_request(const net::Request& request, const std::string& data);

}  // namespace gnomon::server
