#include "store/folder.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/log.h"
#include "store/durable_file.h"
#include "store/rocks.h"

namespace gnomon::store {

namespace {

constexpr const char* format_name = "/format";

// Without a slash at its end, so that names beside it can be made by appending.
std::string plain(const std::string& path) {
  std::string text = std::filesystem::absolute(path).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

// Makes the folder with mode 0700; false if it is there already.
Result<bool> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    if (auto synced = sync_path(parent_of(path)); !synced) return synced.error();
    return true;
  }
  if (errno != EEXIST) return io_error("make the folder", path);
  return false;
}

Result<void> check_existing(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return io_error("use the folder", path);
  if (!S_ISDIR(status.st_mode)) return Error{Code::unavailable, path + " is not a folder"};
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return io_error("use the folder", path);
  if ((status.st_mode & 077) != 0) {
    log_warn("data_folder_open_to_others", {{"path", path}, {"remedy", "chmod 700 " + path}});
  }
  return {};
}

// The pid in a lock file.
std::optional<int> holder_of(int lock) {
  char text[16] = {};
  const ssize_t n = ::pread(lock, text, sizeof text, 0);
  int pid = 0;
  if (n <= 0 || std::from_chars(text, text + n, pid).ec != std::errc() || pid <= 0)
    return std::nullopt;
  return pid;
}

// As text; what somebody else wrote there is not repeated.
std::string holder_text(int lock) {
  const auto pid = holder_of(lock);
  return pid ? std::to_string(*pid) : "unknown";
}

Result<void> write_holder(int lock, const std::string& path) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock, 0) != 0 ||
      ::pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return io_error("write", path);
  }
  return {};
}

// Returns the descriptor that holds the lock.
Result<int> take_lock(const std::string& folder) {
  const std::string path = folder + "/lock";
  const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return io_error("open", path);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const bool held = errno == EWOULDBLOCK;
    Error error = io_error("lock", path);
    if (held) {
      error.message = "the data folder " + folder + " is in use by the process with pid " +
                      holder_text(lock) +
                      ": stop that one first, or choose another folder (--data)";
    }
    ::close(lock);
    return error;
  }
  if (auto written = write_holder(lock, path); !written) {
    ::close(lock);
    return written.error();
  }
  return lock;
}

Result<void> check_format(const std::string& folder) {
  const std::string path = folder + format_name;
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  int number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (!file || parsed.ec != std::errc() || parsed.ptr + 1 != end || *parsed.ptr != '\n' ||
      number < 1) {
    return Error{Code::unavailable, path +
                                        " does not hold a format number: it is damaged, or the "
                                        "folder is not one of ours. Restore a backup into a new "
                                        "folder (gnomon restore)"};
  }
  if (number > folder_format) {
    return Error{Code::unsupported, folder + " has format " + std::to_string(number) +
                                        ", and this version knows formats up to " +
                                        std::to_string(folder_format) +
                                        ": use the version that wrote it, or a newer one"};
  }
  return {};
}

Result<void> write_format(const std::string& folder) {
  return write_file(folder + format_name, std::to_string(folder_format) + "\n");
}

bool is_there(const std::string& path) {
  std::error_code failed;
  return std::filesystem::exists(std::filesystem::symlink_status(path, failed));
}

Error failed_with(const std::string& what, const std::error_code& why) {
  return {Code::unavailable, "cannot " + what + ": " + why.message()};
}

// What an interrupted attempt left under a name that only we use.
Result<void> make_anew(const std::string& path) {
  std::error_code failed;
  std::filesystem::remove_all(path, failed);
  if (failed) return failed_with("remove " + path, failed);
  auto made = make_folder(path);
  if (made && !*made) return Error{Code::unavailable, path + " is in use by another process"};
  if (!made) return made.error();
  return {};
}

void remove(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

// Opens the store and reads all of it: every checksum is verified.
Result<void> read_through(const std::string& folder) {
  const SystemMonotonicClock clock;
  auto store = open_rocks_store({.folder = folder}, clock);
  if (!store) return store.error();
  // No key begins so: the first bytes are a table's number.
  return (*store)->scan("", std::string(8, '\xFF'), [](auto, auto) { return true; });
}

Result<void> fill_backup(Store& store, const std::string& folder) {
  if (auto copied = store.checkpoint(folder + "/store"); !copied) return copied;
  return write_format(folder);
}

Result<void> fill_restored(const std::string& backup, const std::string& folder) {
  std::error_code failed;
  std::filesystem::copy(backup + "/store", folder + "/store",
                        std::filesystem::copy_options::recursive, failed);
  if (failed) return failed_with("copy " + backup + "/store to " + folder, failed);
  if (auto read = read_through(folder + "/store"); !read) return read;
  if (auto written = write_format(folder); !written) return written;
  return sync_tree(folder);
}

}  // namespace

Result<std::unique_ptr<Folder>> Folder::open(const std::string& given) {
  const std::string path = plain(given);
  std::error_code failed;
  std::filesystem::create_directories(parent_of(path), failed);
  if (failed) return failed_with("make the folder " + parent_of(path), failed);
  const auto made = make_folder(path);
  if (!made) return made.error();
  if (!*made) {
    if (auto checked = check_existing(path); !checked) return checked.error();
  }
  const auto lock = take_lock(path);
  if (!lock) return lock.error();
  std::unique_ptr<Folder> folder(new Folder(path, *lock));
  // A folder without a store is new; one with a store must say what it is.
  const bool fresh = !is_there(path + format_name) && !is_there(folder->store_path());
  if (auto known = fresh ? write_format(path) : check_format(path); !known) return known.error();
  return folder;
}

Folder::~Folder() { ::close(lock_); }  // and with it the lock; the file stays

std::optional<int> holder(const std::string& path) {
  const int lock = ::open((path + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (lock < 0) return std::nullopt;
  const bool held = ::flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const auto pid = held ? holder_of(lock) : std::nullopt;
  ::close(lock);
  return pid;
}

Result<void> write_backup(Store& store, const std::string& given) {
  const std::string target = plain(given), partial = target + ".partial";
  if (is_there(target)) {
    return Error{Code::conflict, target + " exists: a backup is written to a new folder"};
  }
  if (auto made = make_anew(partial); !made) return made;
  auto done = fill_backup(store, partial);
  if (done) done = rename_durably(partial, target);
  if (!done) remove(partial);
  return done;
}

Result<void> restore(const std::string& given, const std::string& data) {
  const std::string backup = plain(given), target = plain(data), partial = target + ".restoring";
  std::error_code failed;
  if (is_there(target) && !(std::filesystem::is_directory(target, failed) &&
                            std::filesystem::is_empty(target, failed))) {
    return Error{Code::unavailable,
                 target + " exists and is not an empty folder: restore into a new one"};
  }
  if (!std::filesystem::is_directory(backup + "/store", failed)) {
    return Error{Code::unavailable, backup + " is not a backup: it has no folder store"};
  }
  if (auto known = check_format(backup); !known) return known;
  if (auto made = make_anew(partial); !made) return made;
  auto done = fill_restored(backup, partial);
  if (done) done = rename_durably(partial, target);
  if (!done) remove(partial);
  return done;
}

}  // namespace gnomon::store
