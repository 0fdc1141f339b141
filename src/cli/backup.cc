// gnomon backup: by the running server, or of a folder that no server has open.
#include "server/backup.h"

#include <filesystem>
#include <iostream>
#include <optional>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/admin_client.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "store/folder.h"
#include "store/rocks.h"

namespace gnomon::cli {

namespace {

struct Wanted {
  std::string admin = "127.0.0.1:8080";
  std::optional<std::string> data;
  std::string target;  // absolute
};

// By the server behind the admin listener. Errors: not_found (none is there, or it has another data
// folder), and what it says.
Result<std::string> ask_server(const Wanted& wanted) {
  std::string request = "/backup?to=" + encoded(wanted.target);
  if (wanted.data) request += "&data=" + encoded(std::filesystem::absolute(*wanted.data).string());
  auto answer = ask(wanted.admin, "POST", request);
  if (!answer) return answer.error();
  while (answer->text.ends_with('\n')) answer->text.pop_back();
  switch (answer->status) {
    case 200:
      return answer->text;
    case 421:
      return Error{Code::not_found, answer->text};
    case 404:
      return Error{Code::not_found, "no server of ours answers at " + wanted.admin};
    default:
      return Error{Code::unavailable, answer->text};
  }
}

// Opens the folder, which no server may have open meanwhile.
Result<std::string> copy_folder(const std::string& data, const std::string& target) {
  auto folder = store::Folder::open(data);
  if (!folder) return folder.error();
  const SystemMonotonicClock clock;
  auto store = store::open_rocks_store({.folder = (*folder)->store_path()}, clock);
  if (!store) return store.error();
  return server::back_up(**store, (*folder)->path(), target, clock);
}

Result<std::string> back_up(const Wanted& wanted) {
  auto answered = ask_server(wanted);
  if (answered || answered.error().code != Code::not_found) return answered;
  const std::string data = wanted.data.value_or("./gnomon-data");
  std::error_code failed;
  if (!std::filesystem::is_directory(data + "/store", failed)) {
    return Error{Code::not_found, answered.error().message + "; and there is no store in " + data +
                                      ". Name the server (--admin) or the folder (--data)"};
  }
  auto copied = copy_folder(data, wanted.target);
  if (!copied && copied.error().message.find("is in use by") != std::string::npos) {
    return Error{Code::unavailable,
                 copied.error().message.substr(0, copied.error().message.find(": ")) + ", and " +
                     answered.error().message +
                     ". Name the admin listener of that one: --admin HOST:PORT"};
  }
  return copied;
}

}  // namespace

int backup(Words words) {
  Wanted wanted;
  std::string target;
  Arguments arguments(
      "gnomon backup [--admin HOST:PORT] [--data DIR] TARGET",
      "Copies everything that is kept into the new folder TARGET, as of one moment. A running "
      "server does it while it works; if none runs on the folder, this command does.",
      {"gnomon backup /var/backups/gnomon-monday", "gnomon backup --data ./gnomon-data ./copy"});
  arguments.text("--admin", "HOST:PORT", "The server's admin listener; 127.0.0.1:8080",
                 wanted.admin);
  arguments.text("--data", "DIR",
                 "The data folder; by default that of the server, else ./gnomon-data", wanted.data);
  arguments.text("TARGET", "", "The new folder; only its parent may exist", target);
  if (const auto code = arguments.read(words)) return *code;
  if (target.empty()) return arguments.misuse("TARGET is missing: the folder to make");

  set_log_level(LogLevel::error);
  umask(S_IRWXG | S_IRWXO);  // what is kept is for its owner only
  wanted.target = std::filesystem::absolute(target).lexically_normal().string();
  const auto done = back_up(wanted);
  if (!done) {
    std::cerr << "gnomon backup: " << done.error().message << '\n';
    return exit_failed;
  }
  return std::cout << *done << std::endl ? exit_done : exit_failed;
}

}  // namespace gnomon::cli
