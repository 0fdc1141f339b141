// What the kernel says of a process: CPU time and memory.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"

namespace gnomon::cli {

struct CpuTime {
  Duration user{}, system{};
  [[nodiscard]] Duration total() const { return user + system; }
  friend CpuTime operator-(CpuTime a, CpuTime b) { return {a.user - b.user, a.system - b.system}; }
};

// CPU time of all threads of process `pid` so far, from /proc/PID/stat (resolution 10 ms).
// Errors: not_found.
Result<CpuTime> cpu_time(int pid);
// CPU time of this process, to the microsecond.
[[nodiscard]] CpuTime own_cpu_time();
// Resident memory of process `pid`, in bytes; 0 if there is none.
[[nodiscard]] std::uint64_t resident_bytes(int pid);
// How long ago this process was started (resolution 10 ms).
[[nodiscard]] Duration own_age();
// Raises the number of descriptors this process may open as far as it may be raised.
void raise_descriptor_limit();

}  // namespace gnomon::cli
