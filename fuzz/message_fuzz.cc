// decode() reads nothing outside its bytes, and what it accepts encodes to the same bytes again.
#include "message/message.h"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto decoded = gnomon::message::decode({data, size});
  if (!decoded.ok()) return 0;
  gnomon::Buffer again;
  gnomon::message::encode(decoded->message, again);
  if (decoded->size != again.size()) std::abort();
  if (!std::equal(again.view().begin(), again.view().end(), data)) std::abort();
  return 0;
}
