// Files and folders that are on the disk when the call returns: the few steps that must be in this
// order, once.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gnomon::store {

// "cannot <what> <path>: <text of errno>".
[[nodiscard]] Error io_error(const std::string& what, const std::string& path);

// fsync of a file or a folder. All errors here: unavailable, with the path.
Result<void> sync_path(const std::string& path);
// The folder that a path is in.
[[nodiscard]] std::string parent_of(const std::string& path);
// fsync of all files and folders below `folder`, of itself, and of the folder it is in.
Result<void> sync_tree(const std::string& folder);
// Writes a file so that after a crash it is as before or whole: under another name, synced,
// renamed, the folder synced. Its rights are `mode`, less what the umask takes.
Result<void> write_file(const std::string& path, std::string_view text, unsigned mode = 0600);
// A whole file. Errors: not_found; invalid (longer than `bytes_max`); unavailable.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
// Renames, and syncs the folder that both names are in.
Result<void> rename_durably(const std::string& from, const std::string& to);

}  // namespace gnomon::store
