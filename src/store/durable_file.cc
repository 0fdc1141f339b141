#include "store/durable_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace gnomon::store {

Error io_error(const std::string& what, const std::string& path) {
  const std::string why = std::generic_category().message(errno);
  return {Code::unavailable, "cannot " + what + " " + path + ": " + why};
}

Result<void> sync_path(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return io_error("open", path);
  const bool synced = ::fsync(fd) == 0;
  const Error failed = io_error("sync", path);
  ::close(fd);
  if (!synced) return failed;
  return {};
}

std::string parent_of(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().parent_path().string();
}

Result<void> sync_tree(const std::string& folder) {
  std::error_code failed;
  for (std::filesystem::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    if (!it->is_regular_file() && !it->is_directory()) continue;
    if (auto synced = sync_path(it->path().string()); !synced) return synced;
  }
  if (failed) return Error{Code::unavailable, "cannot read " + folder + ": " + failed.message()};
  if (auto synced = sync_path(folder); !synced) return synced;
  return sync_path(parent_of(folder));
}

Result<void> write_file(const std::string& path, std::string_view text, unsigned mode) {
  const std::string temporary = path + ".new";
  // What an interrupted attempt left may have other rights.
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return io_error("remove", temporary);
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return io_error("write", temporary);
  bool written = true;
  while (written && !text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else {
      written = errno == EINTR;
    }
  }
  written = written && ::fsync(fd) == 0;
  const Error failed = io_error("write", temporary);
  ::close(fd);
  if (!written) return failed;
  return rename_durably(temporary, path);
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const bool missing = errno == ENOENT;
    Error failed = io_error("open", path);
    if (missing) failed.code = Code::not_found;
    return failed;
  }
  std::string text;
  std::array<char, 4096> part;
  ssize_t n = 1;
  while (n > 0 && text.size() <= bytes_max) {
    n = ::read(fd, part.data(), part.size());
    if (n > 0) text.append(part.data(), static_cast<std::size_t>(n));
    if (n < 0 && errno == EINTR) n = 1;
  }
  const Error failed = io_error("read", path);
  ::close(fd);
  if (n < 0) return failed;
  if (text.size() > bytes_max) {
    return Error{Code::invalid, path + " is longer than " + std::to_string(bytes_max) + " bytes"};
  }
  return text;
}

Result<void> rename_durably(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return io_error("rename " + from + " to", to);
  }
  return sync_path(parent_of(to));
}

}  // namespace gnomon::store
