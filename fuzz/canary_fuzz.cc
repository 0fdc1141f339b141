// The canary: a bug on purpose. A fuzz run that does not find it within seconds from an empty
// corpus has fuzzed nothing (no coverage feedback, or crashes that go unnoticed).
#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size >= 4 && data[0] == 'B' && data[1] == 'I' && data[2] == 'R' && data[3] == 'D') {
    __builtin_trap();
  }
  return 0;
}
