#include "client/transport.h"

#include <utility>

#include "net/websocket.h"

namespace gnomon::client {
namespace {

// RFC 9110 §7.2: the port only if it is not the scheme's.
std::string host_header(const Endpoint& endpoint) {
  runtime::Address host = endpoint.address;
  if (!endpoint.name.empty()) host.host = endpoint.name;
  std::string text = to_string(host);
  if (host.port == (endpoint.tls ? 443 : 80)) text.resize(text.rfind(':'));
  return text;
}

}  // namespace

std::string Endpoint::describe() const {
  std::string text = to_string(address);
  if (!name.empty() && name != address.host) text = name + " (" + text + ")";
  if (websocket) return text + (tls ? " over WebSocket and TLS" : " over WebSocket");
  return text + (tls ? " over TLS" : "");
}

Transport::Transport(runtime::Loop& loop, Random& random, Endpoint endpoint)
    : loop_(loop), random_(random), endpoint_(std::move(endpoint)) {
  if (!endpoint_.tls) return;
  tls_.emplace(loop, endpoint_.tls);
  session_ = net::TlsLayer::make_session();
}

runtime::StreamPtr Transport::connect_below(runtime::StreamHandler& handler,
                                            const Refused& refused) {
  const std::string& name = endpoint_.name.empty() ? endpoint_.address.host : endpoint_.name;
  return tls_ ? tls_->connect(endpoint_.address, name, handler, session_, refused)
              : loop_.connect(endpoint_.address, handler);
}

runtime::StreamPtr Transport::connect(runtime::StreamHandler& handler, Refused refused) {
  if (!endpoint_.websocket) return connect_below(handler, refused);
  net::WebSocketClient call;
  call.call.host = host_header(endpoint_);
  call.call.target = *endpoint_.websocket;
  call.connect = [this, refused](runtime::StreamHandler& below) {
    return connect_below(below, refused);
  };
  call.refused = [refused = std::move(refused)](const Error& error) {
    refused({Code::unavailable, error.message});
  };
  return net::connect_websocket(loop_, random_, std::move(call), handler);
}

}  // namespace gnomon::client
