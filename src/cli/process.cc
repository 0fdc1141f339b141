#include "cli/process.h"

#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace gnomon::cli {
namespace {

// Field `number` of /proc/PID/stat and those behind it, counted from 1 as in proc(5). The second
// field is the program's name in parentheses and may itself hold spaces and parentheses.
std::istringstream stat_from(const std::string& process, int number) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(") ");
  std::istringstream fields(name_end == std::string::npos ? "" : line.substr(name_end + 2));
  std::string skipped;
  for (int field = 3; field < number; ++field) fields >> skipped;
  return fields;
}

Duration from_ticks(std::int64_t ticks) {
  return Duration(ticks * (1'000'000'000 / sysconf(_SC_CLK_TCK)));
}
Duration from_timeval(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

Result<CpuTime> cpu_time(int pid) {
  std::istringstream fields = stat_from(std::to_string(pid), 14);
  std::int64_t user = 0, system = 0;
  fields >> user >> system;
  if (!fields) return Error{Code::not_found, "there is no process " + std::to_string(pid)};
  return CpuTime{from_ticks(user), from_ticks(system)};
}

CpuTime own_cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {from_timeval(usage.ru_utime), from_timeval(usage.ru_stime)};
}

std::uint64_t resident_bytes(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return file ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

Duration own_age() {
  std::istringstream fields = stat_from("self", 22);
  std::int64_t started = 0;
  fields >> started;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec) - from_ticks(started);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace gnomon::cli
