// gnomon passwd: the users of a password file, in the form that mosquitto reads too.
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/random.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "crypto/password.h"
#include "store/durable_file.h"

namespace gnomon::cli {

namespace {

struct Wanted {
  std::string file, user;
  std::optional<std::string> password;
  bool remove = false;
};

// FolderLock: one change at a time of the files in a folder.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : fd_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    held_ = fd_ >= 0 && ::flock(fd_, LOCK_EX) == 0;
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  [[nodiscard]] bool held() const { return held_; }

 private:
  const int fd_;
  bool held_ = false;
};

// Twice from a person; else one line.
Result<std::string> ask(const Wanted& wanted) {
  if (!stdin_is_terminal()) return read_line();
  auto first = ask_hidden("Password for " + wanted.user + ": ");
  if (!first) return first;
  const auto second = ask_hidden("The same again: ");
  if (!second) return second.error();
  if (*first != *second) return Error{Code::invalid, "the two are not the same"};
  return first;
}

// Writes `text` so that the file is as before or whole. It stays its owner's and its group's, and
// what others than those could do with it they cannot any more.
Result<void> replace(const std::string& path, const std::string& text) {
  struct stat before {};
  if (::stat(path.c_str(), &before) != 0) return store::write_file(path, text);
  if (auto written = store::write_file(path, text, before.st_mode & 0640); !written) return written;
  struct stat after {};
  if (::stat(path.c_str(), &after) == 0 &&
      (after.st_uid != before.st_uid || after.st_gid != before.st_gid) &&
      ::chown(path.c_str(), before.st_uid, before.st_gid) != 0) {
    return store::io_error("give to its owner before", path);
  }
  return {};
}

// Returns what was done, for a person.
Result<std::string> change(const Wanted& wanted, const std::string& password) {
  std::error_code failed;
  // Behind a link the file itself is replaced, and the link stays.
  std::string path = std::filesystem::weakly_canonical(wanted.file, failed).string();
  if (failed) path = wanted.file;
  const FolderLock lock(store::parent_of(path));
  if (!lock.held()) return store::io_error("use the folder", store::parent_of(path));
  auto text = store::read_file(path, limits::password_file_bytes_max);
  const bool fresh = !text && text.error().code == Code::not_found;
  if (!text && (!fresh || wanted.remove)) return text.error();
  const std::string before = fresh ? "" : *text;
  auto removed = crypto::without_user(before, wanted.user);
  if (wanted.remove) {
    if (!removed) return Error{Code::not_found, wanted.file + ": " + removed.error().message};
    if (auto done = replace(path, *removed); !done) return done.error();
    return wanted.user + " removed from " + wanted.file;
  }
  SystemRandom random;
  const auto hash = crypto::PasswordHash::make(password, random);
  if (auto done = replace(path, crypto::with_password(before, wanted.user, hash)); !done)
    return done.error();
  if (removed) return "password of " + wanted.user + " changed in " + wanted.file;
  return wanted.user + " added to " + wanted.file + (fresh ? ", which is new" : "");
}

Result<std::string> run(const Wanted& wanted) {
  std::string password;
  if (!wanted.remove) {
    auto given = wanted.password ? Result<std::string>(*wanted.password) : ask(wanted);
    if (!given) return given;
    if (given->empty()) return Error{Code::invalid, "the password is empty"};
    if (given->size() > limits::password_bytes_max) {
      return Error{Code::invalid, "a password has at most " +
                                      std::to_string(limits::password_bytes_max) + " bytes"};
    }
    password = std::move(*given);
  }
  return change(wanted, password);
}

}  // namespace

int passwd(Words words) {
  Wanted wanted;
  Arguments arguments(
      "gnomon passwd FILE USER [--delete | --batch PASSWORD]",
      "Sets the password of USER in FILE, which is made (mode 0600) if it is not there. Asks for "
      "it "
      "twice on a terminal; else it is the first line of standard input. The form is that of "
      "mosquitto_passwd: either program reads what the other has written.",
      {"gnomon passwd ./passwords lamp-1", "pwgen 32 1 | gnomon passwd ./passwords lamp-1",
       "gnomon passwd ./passwords lamp-1 --delete"});
  arguments.text("FILE", "", "The password file", wanted.file);
  arguments.text("USER", "", "The user name that the client sends", wanted.user);
  arguments.text("--batch", "PASSWORD", "The password; others on this machine may see it here",
                 wanted.password);
  arguments.flag("--delete", wanted.remove, "Remove the user");
  if (const auto code = arguments.read(words)) return *code;
  if (wanted.file.empty()) return arguments.misuse("FILE is missing: the password file");
  if (wanted.user.empty()) return arguments.misuse("USER is missing: the name of the user");
  if (wanted.remove && wanted.password)
    return arguments.misuse("--delete and --batch exclude each other");
  if (auto known = crypto::check_user(wanted.user); !known)
    return arguments.misuse("USER \"" + wanted.user + "\": " + known.error().message);

  const auto done = run(wanted);
  if (!done) {
    std::cerr << "gnomon passwd: " << done.error().message << '\n';
    return exit_failed;
  }
  return std::cout << *done << std::endl ? exit_done : exit_failed;
}

}  // namespace gnomon::cli
