// The reader of PROXY headers: nothing is read outside of the input, a header is found at its own
// size and at no smaller one, and no more is ever asked for than the bound.
#include "net/proxy.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/limits.h"

namespace {

using namespace gnomon;
using namespace gnomon::net;

ProxyRead read(ByteView bytes) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  return read_proxy_header({exact.get(), bytes.size()});
}

void check(bool good) {
  if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes{data, size};
  const ProxyRead whole = read(bytes);
  if (std::holds_alternative<ProxyMore>(whole)) {
    check(size < limits::proxy_v2_bytes_max);
    return 0;
  }
  const auto* header = std::get_if<ProxyHeader>(&whole);
  if (header != nullptr) check(header->bytes <= size);
  // Byte by byte it is the same.
  for (std::size_t part = 0; part <= size; ++part) {
    const ProxyRead some = read(bytes.first(part));
    if (std::holds_alternative<ProxyMore>(some)) continue;
    check(some.index() == whole.index());
    if (header == nullptr) break;
    check(part == header->bytes);
    const auto& found = std::get<ProxyHeader>(some);
    check(found.bytes == header->bytes && found.has_peer == header->has_peer);
    check(std::equal(found.peer.ip, found.peer.ip + 16, header->peer.ip));
    check(found.peer.port == header->peer.port);
    break;
  }
  return 0;
}
