// gnomon restore
#include <iostream>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "server/backup.h"
#include "store/folder.h"

namespace gnomon::cli {

int restore(Words words) {
  std::string backup, data;
  Arguments arguments(
      "gnomon restore BACKUP --data DIR",
      "Makes the data folder DIR from a backup. DIR must be empty or not exist; the backup is read "
      "through with all its checksums first, and stays as it is.",
      {"gnomon restore /var/backups/gnomon-monday --data ./gnomon-restored"});
  arguments.text("BACKUP", "", "The folder that gnomon backup has made", backup);
  arguments.text("--data", "DIR", "The data folder to make", data);
  if (const auto code = arguments.read(words)) return *code;
  if (backup.empty()) return arguments.misuse("BACKUP is missing: the folder to restore from");
  if (data.empty()) return arguments.misuse("--data is missing: the data folder to make");

  set_log_level(LogLevel::error);
  umask(S_IRWXG | S_IRWXO);  // what is kept is for its owner only
  const SystemMonotonicClock clock;
  const Instant begin = clock.now();
  if (auto restored = store::restore(backup, data); !restored) {
    std::cerr << "gnomon restore: " << restored.error().message << '\n';
    return exit_failed;
  }
  std::cout << data << ": " << server::amount_and_time(data, clock.now() - begin) << std::endl;
  return std::cout ? exit_done : exit_failed;
}

}  // namespace gnomon::cli
