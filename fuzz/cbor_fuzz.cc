// The reader of CBOR: whatever the bytes are it ends and stays inside them, and what it takes is
// written as CBOR and as JSON text that read as the same again.
#include "json/cbor.h"

#include <boost/json.hpp>

#include "base/fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gnomon::json;
  using gnomon::fuzz::check;
  for (const Duplicates duplicates : {Duplicates::refused, Duplicates::last}) {
    const auto value = from_cbor({data, size}, {.depth_max = 16, .duplicates = duplicates});
    if (!value) {
      check(!value.error().message.empty());
      continue;
    }
    const std::string text = write(*value);
    const std::string once = to_cbor(*value);
    const Limits limits{.bytes_max = 16 * size + 64, .depth_max = 16};
    const auto again = from_cbor(gnomon::as_bytes(once), limits);
    check(again && to_cbor(*again) == once && write(*again) == text);
    const auto read = parse(text, {.bytes_max = 32 * size + 64, .depth_max = 16});
    check(read && write(*read) == text);
  }
  return 0;
}
