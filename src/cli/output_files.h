// Files that a command makes: all of them or, if one is there already, none.
#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace gnomon::cli {

struct OutputFile {
  std::string path, text;
  unsigned mode = 0644;  // less the umask
  bool shared = false;   // the same for all that is put there: one that is the same may be there
};

// Errors: conflict (a file is there; the message names it, and --force).
Result<void> check_absent(std::span<const OutputFile> files);
// Makes `folder` if it is not there, then writes each file whole. Errors: unavailable.
Result<void> write_files(const std::string& folder, std::span<const OutputFile> files);

}  // namespace gnomon::cli
