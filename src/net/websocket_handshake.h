// The opening handshake of WebSocket (RFC 6455 §4), both roles. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "net/hosts.h"
#include "net/http_message.h"

namespace gnomon::net {

// ---- server

// The answer to a request for MQTT over WebSocket: status 101 and what goes with it, or the refusal
// with its reason:
//   421 unknown host; 404 another path than /mqtt; 405 another method than GET; 403 foreign origin;
//   426 no upgrade asked for, or another version than 13; 400 a bad key, or no sub-protocol that is
//   ours (`mqtt`, `mqttv3.1`: the first of the client's that is). Extensions are declined by
//   silence.
[[nodiscard]] Response answer_websocket(const Request& request, const KnownHosts& hosts);

// ---- client

// What a client asks for.
struct WebSocketCall {
  std::string host;              // the Host header
  std::string target = "/mqtt";  // with the query, if there is one
  std::string protocol = "mqtt";
  std::vector<Header> headers;  // further ones
};

// 16 random bytes in base64.
[[nodiscard]] std::string make_websocket_key(Random& random);
void append_request(Buffer& out, const WebSocketCall& call, std::string_view key);
// Reads the answer at the front of `in`. Returns its size, 0: there must be more of it.
// Errors: denied (an answer that is no 101; the message holds status and body as far as there),
// invalid (not HTTP, or not the answer to this key).
[[nodiscard]] Result<std::size_t> read_answer(ByteView in, const WebSocketCall& call,
                                              std::string_view key);

// Sec-WebSocket-Accept for a Sec-WebSocket-Key.
[[nodiscard]] std::string accept_for(std::string_view key);

}  // namespace gnomon::net
