// decode() reads nothing outside its bytes, and what it accepts encodes to the same bytes again.
#include <algorithm>
#include <cstdlib>

#include "message/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gnomon;
  const auto decoded = message::decode({data, size});
  if (!decoded.ok()) return 0;
  Buffer again;
  message::encode(decoded->message, again);
  if (decoded->size != again.size()) std::abort();
  if (!std::equal(again.view().begin(), again.view().end(), data)) std::abort();
  return 0;
}
