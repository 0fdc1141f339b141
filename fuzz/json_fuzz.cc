// The reader of documents: whatever the bytes are it ends and stays inside them, and what it takes
// is written as a text that it takes again and that is written the same.
#include "json/json.h"

#include <cstdlib>

#include <boost/json.hpp>

#include "base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gnomon::json;
  const std::string_view text = gnomon::as_text({data, size});
  for (const Duplicates duplicates : {Duplicates::refused, Duplicates::last}) {
    const auto value = parse(text, {.depth_max = 16, .duplicates = duplicates});
    if (!value) {
      if (value.error().message.empty()) std::abort();
      continue;
    }
    const std::string once = write(*value);
    const auto again = parse(once, {.bytes_max = 16 * size + 64, .depth_max = 16});
    if (!again || write(*again) != once) std::abort();
  }
  return 0;
}
