#include "server/backup.h"

#include <cstdio>
#include <system_error>

#include "server/admin_request.h"
#include "store/folder.h"

namespace gnomon::server {

namespace {

namespace fs = std::filesystem;

// Absolute, without links as far as it exists.
fs::path plain(const std::string& path) {
  std::error_code failed;
  const fs::path found = fs::weakly_canonical(fs::absolute(path), failed);
  return failed ? fs::absolute(path).lexically_normal() : found;
}

bool is_within(const fs::path& path, const fs::path& folder) {
  const fs::path from = path.lexically_relative(folder);
  return !from.empty() && *from.begin() != "..";
}

}  // namespace

std::string amount_and_time(const fs::path& folder, Duration took) {
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code unknown;
    if (!it->is_regular_file(unknown)) continue;
    const std::uintmax_t size = it->file_size(unknown);
    if (!unknown) bytes += size;
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", std::chrono::duration<double>(took).count());
  return std::to_string(bytes) + " bytes in " + seconds + " s";
}

Result<std::string> back_up(store::Store& store, const std::string& data, const std::string& target,
                            const MonotonicClock& clock) {
  if (is_within(plain(target), plain(data))) {
    return Error{Code::invalid, target + " is in the data folder " + data +
                                    ": a backup there would be lost together with it"};
  }
  const Instant begin = clock.now();
  if (auto written = store::write_backup(store, target); !written) return written.error();
  return target + ": " + amount_and_time(target, clock.now() - begin);
}

Result<std::string> read_backup_request(const net::Request& request, const std::string& data) {
  if (auto checked = check_sender(request); !checked) return checked.error();
  if (!request.body.empty()) return Error{Code::invalid, "the request must not have a body"};
  auto query = read_query(request.target, {"to", "data"});
  if (!query) return query.error();
  std::string& to = (*query)["to"];
  const std::string& meant = (*query)["data"];
  if (!to.starts_with('/')) {
    return Error{Code::invalid, "to=FOLDER must be an absolute path: where the backup is to be"};
  }
  if (!meant.empty() && plain(meant) != plain(data)) {
    return Error{Code::not_found,
                 "the data folder of this server is " + plain(data).string() + ", not " + meant};
  }
  return std::move(to);
}

}  // namespace gnomon::server
