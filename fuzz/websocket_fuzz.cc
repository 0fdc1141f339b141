// The reader of WebSocket frames, in both roles: nothing is touched outside of the input, pieces
// give the payload of the whole, payload never exceeds what came, and what is answered is read by
// the other role. What was read is framed again and read the same.
//
// Input: one byte of mode (bit 0: client), one byte that seeds where the rest is split, the bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "net/websocket_frame.h"

namespace {

using namespace gnomon;
using namespace gnomon::net;

void check(bool good) {
  if (!good) std::abort();
}

struct Seen {
  std::string payload, pong;
  std::uint16_t close = 0;
  bool fault = false;
  bool operator==(const Seen&) const = default;
};

Seen run(WebSocketRole role, ByteView bytes, std::uint32_t random, bool whole) {
  WebSocketReader reader(role);
  Seen seen;
  while (!bytes.empty()) {
    random = random * 1'664'525 + 1'013'904'223;
    const std::size_t size =
        whole ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + (random >> 28));
    const std::unique_ptr<std::uint8_t[]> piece(new std::uint8_t[size]);
    std::copy_n(bytes.data(), size, piece.get());
    bytes = bytes.subspan(size);
    const WebSocketInput input = reader.read({piece.get(), size});
    check(input.payload <= size);
    seen.payload.append(as_text({piece.get(), input.payload}));
    if (input.close == 0) {
      check(input.fault == nullptr);
      continue;
    }
    seen.close = input.close;
    seen.fault = input.fault != nullptr;
    // It is over.
    std::uint8_t more[] = {0x82, 0x81, 0, 0, 0, 0, 'x'};
    check(reader.read(more).payload == 0);
    break;
  }
  if (reader.owes_pong()) {
    Buffer pong;
    reader.append_pong(pong, std::nullopt);
    check(pong.size() <= 127 && !reader.owes_pong());
    seen.pong = as_text(pong.view());
  }
  return seen;
}

// Frames it as `from` does, and reads it as the other.
Seen again(WebSocketRole from, const Seen& seen) {
  const bool client = from == WebSocketRole::client;
  const std::optional<WebSocketMask> mask =
      client ? std::optional(WebSocketMask{0xa5, 0, 0xff, 7}) : std::nullopt;
  Buffer wire;
  append_frame(wire, WebSocketOpcode::binary, as_bytes(seen.payload), mask);
  if (seen.close != 0) append_close(wire, seen.close, "why", mask);
  return run(client ? WebSocketRole::server : WebSocketRole::client, wire.view(), 0, true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto role = (data[0] & 1) != 0 ? WebSocketRole::client : WebSocketRole::server;
  const ByteView bytes{data + 2, size - 2};
  const Seen whole = run(role, bytes, data[1], true);
  check(whole == run(role, bytes, data[1], false));
  const Seen reread = again(role, whole);
  check(reread.payload == whole.payload && reread.close == whole.close && !reread.fault);
  return 0;
}
