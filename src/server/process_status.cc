#include "server/process_status.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gnomon::server {

namespace {

using metrics::Kind;

constexpr auto rows = std::to_array<metrics::Row>({
    {"process_resident_memory_bytes", Kind::gauge, "", "Resident memory in bytes."},
    {"process_virtual_memory_bytes", Kind::gauge, "", "Virtual memory in bytes."},
    {"process_open_fds", Kind::gauge, "", "Descriptors that are open."},
    {"process_max_fds", Kind::gauge, "", "Descriptors that may be open."},
    {"process_cpu_seconds_total", Kind::counter, "", "User and system CPU time in seconds.", 1e-6},
    {"process_start_time_seconds", Kind::gauge, "", "Start, in seconds since 1970.", 1e-3},
});

struct Memory {
  std::uint64_t total = 0, resident = 0;  // bytes
};
Memory memory() {
  Memory pages;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                             std::fclose);
  unsigned long total = 0, resident = 0;
  if (file && std::fscanf(file.get(), "%lu %lu", &total, &resident) == 2) {
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    pages = {total * page, resident * page};
  }
  return pages;
}

std::uint64_t open_descriptors() {
  // Since Linux 6.2 the folder's size tells; before it is 0, and they are counted one by one.
  struct stat folder {};
  if (stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) {
    return static_cast<std::uint64_t>(folder.st_size);
  }
  std::error_code failed;
  const std::filesystem::directory_iterator all("/proc/self/fd", failed);
  return failed ? 0 : static_cast<std::uint64_t>(std::distance(begin(all), end(all)));
}

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

}  // namespace

metrics::Sample process_status(WallTime started) {
  const Memory used = memory();
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  rusage cpu{};
  getrusage(RUSAGE_SELF, &cpu);
  return {rows,
          {used.resident, used.total, open_descriptors(), descriptors.rlim_cur,
           microseconds(cpu.ru_utime) + microseconds(cpu.ru_stime),
           static_cast<std::uint64_t>(started.ms)}};
}

}  // namespace gnomon::server
