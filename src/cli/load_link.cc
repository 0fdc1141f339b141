#include "cli/load_link.h"

#include <algorithm>
#include <utility>

namespace gnomon::cli {

LoadLink::LoadLink(const LoadTransport& transport, std::shared_ptr<net::TlsLayer::Session> session,
                   std::uint64_t seed, Buffer& wire)
    : random_(seed) {
  if (transport.websocket) {
    reader_.emplace(net::WebSocketRole::client);
    opening_ = std::make_unique<Opening>();
    opening_->call.host = transport.host;
    opening_->call.target = *transport.websocket;
    opening_->key = net::make_websocket_key(random_);
  }
  if (transport.tls) {
    tls_ =
        std::make_unique<net::TlsClient>(transport.tls, transport.name, std::move(session), wire);
  } else if (opening_) {
    ask(wire);
  }
}

net::WebSocketMask LoadLink::mask() {
  net::WebSocketMask made{};
  random_.fill(made);
  return made;
}

void LoadLink::pass(Buffer& bytes, Buffer& wire) {
  if (tls_) {
    tls_->send(bytes.view(), wire);
  } else {
    wire.append(bytes.view());
  }
  bytes.clear();
}

void LoadLink::ask(Buffer& wire) {
  Buffer request;
  net::append_request(request, opening_->call, opening_->key);
  pass(request, wire);
}

void LoadLink::send(Buffer& packets, Buffer& wire) {
  if (!reader_) return pass(packets, wire);
  if (!tls_) {
    net::append_frame(wire, net::WebSocketOpcode::binary, packets.view(), mask());
    return packets.clear();
  }
  Buffer frame;
  net::append_frame(frame, net::WebSocketOpcode::binary, packets.view(), mask());
  packets.clear();
  pass(frame, wire);
}

Result<std::size_t> LoadLink::receive(std::span<std::uint8_t> bytes, std::span<std::uint8_t> to,
                                      Buffer& wire) {
  std::size_t count = bytes.size();
  if (tls_) {
    const bool before = tls_->established();
    const auto plain = tls_->receive(bytes, to, wire);
    if (!plain) return plain.error();
    count = *plain;
    if (!before && tls_->established()) {
      if (opening_) {
        ask(wire);
      } else {
        open_ = true;
      }
    }
  } else {
    std::ranges::copy(bytes, to.begin());
  }
  if (opening_) {
    const auto rest = read_opening(to.first(count), to);
    if (!rest) return rest.error();
    count = *rest;
  }
  return reader_ && open_ ? unframe(to.first(count), wire) : count;
}

// Returns how much of what came behind the answer is now at the front of `to`.
Result<std::size_t> LoadLink::read_opening(ByteView bytes, std::span<std::uint8_t> to) {
  Buffer& received = opening_->received;
  received.append(bytes);
  const auto read = net::read_answer(received.view(), opening_->call, opening_->key);
  if (!read) return read.error();
  if (*read == 0) return std::size_t{0};
  const ByteView rest = received.view().subspan(*read);
  std::ranges::copy(rest, to.begin());
  const std::size_t count = rest.size();
  opening_.reset();
  open_ = true;
  return count;
}

std::size_t LoadLink::unframe(std::span<std::uint8_t> bytes, Buffer& wire) {
  const net::WebSocketInput input = reader_->read(bytes);
  if (reader_->owes_pong()) {
    Buffer pong;
    reader_->append_pong(pong, mask());
    pass(pong, wire);
  }
  // A close frame: the broker closes the socket, too.
  return input.payload;
}

void LoadLink::finish(Buffer& wire) {
  if (reader_) {
    Buffer frame;
    net::append_close(frame, net::close_code::normal, {}, mask());
    pass(frame, wire);
  }
  if (tls_) tls_->finish(wire);
}

}  // namespace gnomon::cli
