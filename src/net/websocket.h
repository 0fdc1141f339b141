// Streams over WebSocket, both roles: what is MQTT need not know. The framing is in
// websocket_frame.h, the handshake in websocket_handshake.h.
#pragma once

#include <functional>
#include <string>

#include "base/random.h"
#include "net/websocket_handshake.h"
#include "runtime/loop.h"

namespace gnomon::net {

// The server's side, after its 101 was sent (answer_websocket(), Exchange::take_over()): a stream
// of the payload over `below`. `unread`: what has arrived behind the request; its payload comes at
// the end of this turn. A peer that closes or breaks the protocol ends the stream (by_peer, error);
// dropping the stream sends what is left, then a close frame (1000, after go_away() 1001), and
// waits a moment for the peer's.
[[nodiscard]] runtime::StreamPtr open_websocket(runtime::StreamPtr below, ByteView unread,
                                                runtime::StreamHandler& handler);

// The client's side. `connect` makes the stream below, with the handler given to it: Loop::connect
// or TlsLayer::connect. The handler hears on_connected() when the server has agreed; before its
// on_ended() `refused`, if set, is told why it did not. `random` outlives the stream.
struct WebSocketClient {
  WebSocketCall call;
  std::function<runtime::StreamPtr(runtime::StreamHandler&)> connect;
  std::function<void(const Error&)> refused;
};
[[nodiscard]] runtime::StreamPtr connect_websocket(runtime::Loop& loop, Random& random,
                                                   WebSocketClient client,
                                                   runtime::StreamHandler& handler);

}  // namespace gnomon::net
