#include "store/wal_check.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace gnomon::store {

namespace {

constexpr std::size_t block_bytes = 32 * 1024;
constexpr std::size_t header_bytes = 7;  // checksum 4, length 2, type 1; little-endian
constexpr int types = 4;                 // full, first, middle, last: 1 to 4

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> table = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_processor(ByteView bytes) {
  std::uint64_t crc = 0xFFFFFFFFU;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    crc = _mm_crc32_u64(crc, word);
  }
  auto rest = static_cast<std::uint32_t>(crc);
  for (; at < bytes.size(); ++at) rest = _mm_crc32_u8(rest, bytes[at]);
  return ~rest;
}
#endif

// The format stores checksums so, lest a checksum of data that holds checksums is weak.
std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U; }

// Bytes of the valid, non-empty record that begins at `at`; 0 if none does.
std::size_t record_at(ByteView log, std::size_t at) {
  const std::size_t block_end = std::min(log.size(), (at / block_bytes + 1) * block_bytes);
  if (at + header_bytes >= block_end) return 0;
  const std::uint8_t* header = log.data() + at;
  const std::size_t length = header[4] + 256U * header[5];
  const int type = header[6];
  if (length == 0 || type < 1 || type > types || at + header_bytes + length > block_end) return 0;
  std::uint32_t stored = 0;
  for (unsigned i = 4; i-- > 0;) stored = stored << 8 | header[i];
  const bool valid = masked(crc32c(log.subspan(at + 6, length + 1))) == stored;  // type and payload
  return valid ? header_bytes + length : 0;
}

// A record with no payload: RocksDB writes one where a block has room for a header only.
bool is_empty_record(ByteView log, std::size_t at) {
  if (at + header_bytes > log.size()) return false;
  const std::uint8_t* header = log.data() + at;
  std::uint32_t stored = 0;
  for (unsigned i = 4; i-- > 0;) stored = stored << 8 | header[i];
  return header[4] == 0 && header[5] == 0 && header[6] >= 1 && header[6] <= types &&
         masked(crc32c(log.subspan(at + 6, 1))) == stored;
}

// The first valid record behind the bad one at `bad`. Its length cannot be trusted, so the rest of
// its block is tried byte by byte; from then on every block begins with a record.
std::optional<std::size_t> good_behind(ByteView log, std::size_t bad) {
  const std::size_t next_block = (bad / block_bytes + 1) * block_bytes;
  for (std::size_t at = bad + 1; at < std::min(next_block, log.size()); ++at) {
    if (record_at(log, at) > 0) return at;
  }
  for (std::size_t at = next_block; at < log.size(); at += block_bytes) {
    if (record_at(log, at) > 0) return at;
  }
  return std::nullopt;
}

Error unreadable(const std::string& path) {
  return {Code::unavailable, "cannot read " + path + ": " + std::strerror(errno)};
}

// The file in memory, as a mapping: a log may be large, and is read once from front to back.
class Mapping {
 public:
  explicit Mapping(int fd, std::size_t bytes)
      : at_(::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0)), bytes_(bytes) {}
  ~Mapping() {
    if (ok()) ::munmap(at_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  [[nodiscard]] bool ok() const { return at_ != MAP_FAILED; }
  [[nodiscard]] ByteView view() const { return {static_cast<const std::uint8_t*>(at_), bytes_}; }

 private:
  void* at_;
  std::size_t bytes_;
};

}  // namespace

std::uint32_t crc32c_by_table(ByteView bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFFU];
  return ~crc;
}

std::uint32_t crc32c(ByteView bytes) {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  if (has) return crc32c_by_processor(bytes);
#endif
  return crc32c_by_table(bytes);
}

std::optional<LogDamage> find_damage(ByteView log) {
  std::size_t at = 0;
  while (at < log.size()) {
    const std::size_t left = block_bytes - at % block_bytes;
    if (left < header_bytes) {  // too small for a header: padding
      at += left;
    } else if (const std::size_t bytes = record_at(log, at); bytes > 0) {
      at += bytes;
    } else if (is_empty_record(log, at)) {
      at += header_bytes;
    } else if (const auto good = good_behind(log, at)) {
      return LogDamage{at, *good};
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

Result<void> check_log_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return unreadable(path);
  struct stat status {};
  const bool known = ::fstat(fd, &status) == 0;
  if (known && status.st_size == 0) {
    ::close(fd);
    return {};
  }
  const Mapping mapping(fd, known ? static_cast<std::size_t>(status.st_size) : 0);
  const Error failed = unreadable(path);
  ::close(fd);
  if (!mapping.ok()) return failed;
  const auto damage = find_damage(mapping.view());
  if (!damage) return {};
  return Error{Code::unavailable,
               path + " is damaged at byte " + std::to_string(damage->bad) +
                   ", and valid records follow from byte " + std::to_string(damage->good_again) +
                   ": opening it would drop them. Restore a backup into a new folder (gnomon "
                   "restore), or repair the file from another copy of it"};
}

Result<void> check_logs(const std::string& folder) {
  std::error_code failed;
  std::vector<std::string> paths;
  for (std::filesystem::directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    if (it->path().extension() == ".log") paths.push_back(it->path().string());
  }
  if (failed) return Error{Code::unavailable, "cannot read " + folder + ": " + failed.message()};
  std::string manifest;
  std::ifstream(folder + "/CURRENT") >> manifest;
  if (manifest.starts_with("MANIFEST-") && manifest.find('/') == std::string::npos &&
      std::filesystem::is_regular_file(folder + "/" + manifest, failed)) {
    paths.push_back(folder + "/" + manifest);
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    if (auto checked = check_log_file(path); !checked) return checked;
  }
  return {};
}

}  // namespace gnomon::store
