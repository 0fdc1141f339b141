#include "server/left_certificates.h"

#include <cerrno>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "store/durable_file.h"

namespace gnomon::server {

namespace {

constexpr std::string_view suffix = ".pem";

std::string folder_in(const std::string& folder) { return folder + "/devices"; }
std::string path_of(const std::string& folder, const std::string& id) {
  return folder_in(folder) + '/' + id + std::string(suffix);
}

}  // namespace

Result<void> leave_certificate(const std::string& folder, const crypto::Certificate& certificate) {
  const std::string in = folder_in(folder);
  if (::mkdir(in.c_str(), 0700) == 0) {
    struct stat owner {};
    if (::geteuid() == 0 && ::stat(folder.c_str(), &owner) == 0 &&
        ::chown(in.c_str(), owner.st_uid, owner.st_gid) != 0) {
      return store::io_error("give away the folder", in);
    }
    if (auto synced = store::sync_path(folder); !synced) return synced;
  } else if (errno != EEXIST) {
    return store::io_error("make the folder", in);
  }
  return store::write_file(path_of(folder, certificate.id()), certificate.to_pem());
}

bool is_left(const std::string& folder, const std::string& id) {
  return ::access(path_of(folder, id).c_str(), F_OK) == 0;
}

Result<void> take_left(const std::string& folder, const std::string& id) {
  const std::string path = path_of(folder, id);
  if (::unlink(path.c_str()) == 0) return store::sync_path(folder_in(folder));
  if (errno == ENOENT) return {};
  return store::io_error("remove", path);
}

std::vector<std::string> left_certificates(const std::string& folder) {
  std::vector<std::string> ids;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder_in(folder), failed), end; !failed && at != end;
       at.increment(failed)) {
    const std::filesystem::path path = at->path();
    if (path.extension() == suffix) ids.push_back(path.stem());
  }
  return ids;
}

}  // namespace gnomon::server
