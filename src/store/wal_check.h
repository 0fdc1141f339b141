// Looks for damage in the log of a store before it is opened. RocksDB recovers a log up to the
// first record that does not check, and drops what is behind without a word: right for the torn end
// that a power cut leaves, wrong for a bit that flipped in the middle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace gnomon::store {

// The first record of a log that does not check, and the first behind it that does.
struct LogDamage {
  std::size_t bad = 0, good_again = 0;  // byte offsets
};

// Looks through a log in RocksDB's format (blocks of 32 KiB of records: masked crc32c, length,
// type). A torn end, with nothing valid behind it, is no damage.
[[nodiscard]] std::optional<LogDamage> find_damage(ByteView log);

// find_damage() of one file. Errors: unavailable (damaged, with file, offset and remedies; or not
// readable).
Result<void> check_log_file(const std::string& path);
// check_log_file() of every *.log of the folder and of the manifest that CURRENT names.
Result<void> check_logs(const std::string& folder);

// CRC-32C (Castagnoli): by the processor where it can, else by table.
[[nodiscard]] std::uint32_t crc32c(ByteView bytes);
[[nodiscard]] std::uint32_t crc32c_by_table(ByteView bytes);

}  // namespace gnomon::store
