#include "cli/output_files.h"

#include <cerrno>
#include <filesystem>
#include <sys/stat.h>

#include "store/durable_file.h"

namespace gnomon::cli {

Result<void> check_absent(std::span<const OutputFile> files) {
  for (const OutputFile& file : files) {
    std::error_code failed;
    if (!std::filesystem::exists(std::filesystem::symlink_status(file.path, failed))) continue;
    const auto there = store::read_file(file.path, file.text.size());
    if (file.shared && there && *there == file.text) continue;
    return Error{Code::conflict, file.path + " is there already; --force replaces it"};
  }
  return {};
}

Result<void> write_files(const std::string& folder, std::span<const OutputFile> files) {
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST)
    return store::io_error("make the folder", folder);
  for (const OutputFile& file : files) {
    if (auto written = store::write_file(file.path, file.text, file.mode); !written) return written;
  }
  return {};
}

}  // namespace gnomon::cli
