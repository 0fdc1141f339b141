#include "cli/floor.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "base/bytes.h"
#include "cli/frames.h"
#include "cli/load_client.h"
#include "topic/topic.h"

namespace gnomon::cli {
namespace {

constexpr std::size_t input_bytes = 256 * KiB;

struct Peer {
  int fd = -1;
  bool v5 = false, want_write = false, dirty = false, routed = false;
  std::string filter;
  Buffer partial, output;
  std::vector<Peer*> route;  // of its first topic: looked up once, then kept
};

Error system_error(const char* what) {
  return {Code::unavailable, std::string(what) + ": " + std::generic_category().message(errno)};
}

// Floor: a listener, its connections, one epoll loop. Owner: run_floor(); one thread.
class Floor {
 public:
  explicit Floor(FloorMode mode) : mode_(mode) {}
  Result<runtime::Address> listen(const runtime::Address& address);
  [[noreturn]] void run();

 private:
  void accept();
  void close(Peer& peer);
  void forget_routes() {
    for (const auto& peer : peers_) peer->routed = false;
  }
  void find_route(Peer& publisher, std::string_view name);
  void on_readable(Peer& peer);
  void on_frame(Peer& peer, const Frame& frame);
  void on_connect(Peer& peer, const Frame& frame);
  void on_subscribe(Peer& peer, const Frame& frame);
  void on_publish(Peer& peer, const Frame& frame);
  void answer(Peer& peer, ByteView bytes);
  void append(Peer& peer, ByteView bytes);
  void flush(Peer& peer);
  void flush_all();
  void watch(const Peer& peer, int operation) const;

  FloorMode mode_;
  int epoll_ = -1, listener_ = -1;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<Peer*> dirty_;
  const std::unique_ptr<std::uint8_t[]> input_ = std::make_unique<std::uint8_t[]>(input_bytes);
};

Result<runtime::Address> Floor::listen(const runtime::Address& address) {
  auto target = Target::from(address);
  if (!target) return target.error();
  auto* bound = reinterpret_cast<sockaddr*>(&target->address);
  const int one = 1;
  listener_ = socket(bound->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return system_error("socket");
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener_, bound, target->length) != 0) return system_error("bind");
  if (::listen(listener_, 4096) != 0) return system_error("listen");
  getsockname(listener_, bound, &target->length);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  // Both families have the port in the same place.
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(bound);
  return runtime::Address{address.host, ntohs(v4->sin_port)};
}

void Floor::run() {
  std::array<epoll_event, 512> events;
  for (;;) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) {
        accept();
        continue;
      }
      Peer& peer = *static_cast<Peer*>(event.data.ptr);
      if (peer.fd >= 0 && (event.events & EPOLLOUT) != 0) flush(peer);
      if (peer.fd >= 0 && (event.events & ~EPOLLOUT) != 0) on_readable(peer);
      if (mode_ == FloorMode::direct) flush_all();
    }
    flush_all();
  }
}

void Floor::accept() {
  const int one = 1;
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Peer& peer = *peers_.emplace_back(std::make_unique<Peer>());
    peer.fd = fd;
    watch(peer, EPOLL_CTL_ADD);
  }
}

void Floor::watch(const Peer& peer, int operation) const {
  epoll_event event{.events = EPOLLIN | (peer.want_write ? EPOLLOUT : 0U),
                    .data = {.ptr = const_cast<Peer*>(&peer)}};
  epoll_ctl(epoll_, operation, peer.fd, &event);
}

// The Peer stays: routes and this turn's events may name it.
void Floor::close(Peer& peer) {
  ::close(peer.fd);
  peer.fd = -1;
  peer.filter.clear();
  peer.output.release();
  forget_routes();
}

void Floor::on_readable(Peer& peer) {
  const std::size_t left = peer.partial.size();
  if (left > input_bytes / 2) return close(peer);
  std::memcpy(input_.get(), peer.partial.data(), left);
  const ssize_t got = recv(peer.fd, input_.get() + left, input_bytes - left, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close(peer);
  peer.partial.clear();
  ByteView in(input_.get(), left + static_cast<std::size_t>(got));
  Frame frame;
  while (peer.fd >= 0 && take_frame(in, frame)) on_frame(peer, frame);
  if (!in.empty()) peer.partial.append(in);
}

void Floor::on_frame(Peer& peer, const Frame& frame) {
  switch (frame.type()) {
    case mqtt::PacketType::connect:
      return on_connect(peer, frame);
    case mqtt::PacketType::subscribe:
      return on_subscribe(peer, frame);
    case mqtt::PacketType::publish:
      return on_publish(peer, frame);
    case mqtt::PacketType::pingreq:
      return append(peer, std::array<std::uint8_t, 2>{0xD0, 0});
    default:
      return;
  }
}

void Floor::on_connect(Peer& peer, const Frame& frame) {
  const std::size_t level_at = frame.body.size() < 2 ? 0 : 2U + read_u16(frame.body, 0);
  peer.v5 = level_at < frame.body.size() && frame.body[level_at] == 5;
  const std::array<std::uint8_t, 5> connack{0x20, static_cast<std::uint8_t>(peer.v5 ? 3 : 2)};
  answer(peer, ByteView(connack).first(peer.v5 ? 5 : 4));
}

void Floor::on_subscribe(Peer& peer, const Frame& frame) {
  const ByteView body = frame.body;
  std::size_t at = 2, properties = 0;
  if (peer.v5 && read_variable(body, at, properties)) at += properties;
  if (at + 2 > body.size()) return close(peer);
  const std::size_t length = read_u16(body, at);
  at += 2;
  if (at + length >= body.size()) return close(peer);
  peer.filter = as_text(body.subspan(at, length));
  forget_routes();
  const std::uint8_t granted = body[at + length] & 1;
  if (peer.v5)
    answer(peer, std::array<std::uint8_t, 6>{0x90, 4, body[0], body[1], 0, granted});
  else
    answer(peer, std::array<std::uint8_t, 5>{0x90, 3, body[0], body[1], granted});
}

void Floor::find_route(Peer& publisher, std::string_view name) {
  publisher.routed = true;
  publisher.route.clear();
  for (const auto& peer : peers_)
    if (!peer->filter.empty() && topic::matches(peer->filter, name))
      publisher.route.push_back(peer.get());
}

// QoS 1 is answered and passed on as it is, packet id included: its one publisher's ids are unique.
void Floor::on_publish(Peer& peer, const Frame& frame) {
  const ByteView body = frame.body;
  const std::size_t length = body.size() < 2 ? 0 : read_u16(body, 0);
  if (2 + length + 2 > body.size()) return close(peer);
  if (!peer.routed) find_route(peer, as_text(body.subspan(2, length)));
  if (frame.qos() > 0)
    append(peer, std::array<std::uint8_t, 4>{0x40, 2, body[2 + length], body[3 + length]});
  for (Peer* subscriber : peer.route) append(*subscriber, frame.whole);
}

// A handshake's answer goes straight out, so that an idle connection never owns a buffer.
void Floor::answer(Peer& peer, ByteView bytes) {
  const bool waits = !peer.output.empty();
  if (waits || send(peer.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) append(peer, bytes);
}

void Floor::append(Peer& peer, ByteView bytes) {
  peer.output.append(bytes);
  if (peer.dirty) return;
  peer.dirty = true;
  dirty_.push_back(&peer);
}

void Floor::flush(Peer& peer) {
  peer.dirty = false;
  while (peer.fd >= 0 && !peer.output.empty()) {
    const ssize_t sent = send(peer.fd, peer.output.data(), peer.output.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close(peer);
    if (sent < 0) {
      if (!peer.want_write) {
        peer.want_write = true;
        watch(peer, EPOLL_CTL_MOD);
      }
      return;
    }
    peer.output.consume(static_cast<std::size_t>(sent));
  }
  if (peer.want_write && peer.fd >= 0) {
    peer.want_write = false;
    watch(peer, EPOLL_CTL_MOD);
  }
}

void Floor::flush_all() {
  for (Peer* peer : dirty_) flush(*peer);
  dirty_.clear();
}

}  // namespace

Result<void> run_floor(const runtime::Address& address, FloorMode mode,
                       const std::function<void(const runtime::Address&)>& ready) {
  if (!runtime::is_loopback(address))
    return Error{Code::invalid, "the floor checks nothing, so it listens on loopback only"};
  Floor floor(mode);
  const auto bound = floor.listen(address);
  if (!bound) return bound.error();
  ready(*bound);
  floor.run();
}

}  // namespace gnomon::cli
