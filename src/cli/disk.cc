#include "cli/disk.h"

#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include "store/durable_file.h"

namespace gnomon::cli {

Result<Histogram> time_syncs(const std::string& folder, std::size_t bytes, std::uint64_t count,
                             const MonotonicClock& clock) {
  // With a name until it is over: a file without one costs the file system less than a log.
  const std::string path = folder + "/gnomon-bench-sync-" + std::to_string(getpid());
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return store::io_error("make a file in", folder);
  const std::string text(bytes, 'x');
  Histogram took;
  std::optional<Error> failed;
  for (std::uint64_t i = 0; i < count && !failed; ++i) {
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(bytes);
    const Instant begin = clock.now();
    if (!written || ::fdatasync(file) != 0) failed = store::io_error("write to a file in", folder);
    took.add(clock.now() - begin);
  }
  ::close(file);
  ::unlink(path.c_str());
  if (failed) return *failed;
  return took;
}

}  // namespace gnomon::cli
