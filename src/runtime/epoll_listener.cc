#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "base/log.h"
#include "runtime/epoll.h"

namespace gnomon::runtime {
namespace {

constexpr int accept_batch = 64;  // connections a turn, so that the others are served too
constexpr int backlog = 4096;
constexpr std::chrono::milliseconds mute_time{100};

Peer peer_of(const sockaddr_storage& from) {
  Peer peer;
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from, sizeof v6);
    std::memcpy(peer.ip, &v6.sin6_addr, sizeof peer.ip);
    peer.port = ntohs(v6.sin6_port);
  } else if (from.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from, sizeof v4);
    peer.ip[10] = peer.ip[11] = 0xff;
    std::memcpy(peer.ip + 12, &v4.sin_addr, 4);
    peer.port = ntohs(v4.sin_port);
  }
  return peer;
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// The socket address of a literal; null if it is none. Never asks a name server.
Addresses literal(const Address& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found) != 0) return nullptr;
  return Addresses(found);
}

Error cannot_listen(const Address& address, int error) {
  std::string why = std::generic_category().message(error);
  if (error == EADDRINUSE) why += " (does another server run?)";
  if (error == EADDRNOTAVAIL) why += " (not an address of this machine)";
  if (error == EACCES && address.port < 1024) why += " (ports below 1024 need a privilege)";
  return {Code::unavailable, "cannot listen on " + to_string(address) + ": " + why};
}

// Ordinary bind: SO_REUSEADDR only lets a restarted server have its port back at once.
int bind_and_listen(const addrinfo& at) {
  const int fd = socket(at.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit these from the listening one: no call per connection.
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (bind(fd, at.ai_addr, at.ai_addrlen) == 0 && ::listen(fd, backlog) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace

Result<std::unique_ptr<Listener>> EpollLoop::listen(const Address& address, OnAccept on_accept) {
  const Addresses at = literal(address);
  if (at == nullptr) {
    return Error{Code::unavailable,
                 "cannot listen on " + to_string(address) + ": the host is not an IP address"};
  }
  const int fd = bind_and_listen(*at);
  if (fd < 0) return cannot_listen(address, errno);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  auto listener = std::make_unique<EpollListener>(
      *this, fd, Address{address.host, peer_of(bound).port}, std::move(on_accept));
  return std::unique_ptr<Listener>(std::move(listener));
}

StreamPtr EpollLoop::connect(const Address& address, StreamHandler& handler) {
  int error = EADDRNOTAVAIL;
  int fd = -1;
  const Addresses to = literal(address);
  if (to != nullptr) {
    fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    error = fd < 0 ? errno : 0;
  }
  if (fd >= 0) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS) error = errno;
  } else {
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);  // a descriptor to close, if there is one
  }
  auto* stream = new EpollStream(*this, handler, fd, true);
  if (error != 0) stream->fail_later();
  if (to != nullptr) {
    sockaddr_storage peer{};
    std::memcpy(&peer, to->ai_addr, to->ai_addrlen);
    stream->set_peer(peer_of(peer));
  }
  return StreamPtr(stream);
}

EpollListener::EpollListener(EpollLoop& loop, int fd, Address address, Loop::OnAccept on_accept)
    : loop_(loop),
      fd_(fd),
      address_(std::move(address)),
      on_accept_(std::make_shared<Loop::OnAccept>(std::move(on_accept))) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = reinterpret_cast<std::uint64_t>(this) | EpollLoop::tag_listener;
  if (epoll_ctl(loop_.epoll_fd_, EPOLL_CTL_ADD, fd_, &event) != 0) {
    const int error = errno;
    ::close(fd_);
    throw std::system_error(error, std::generic_category(), "epoll_ctl");
  }
  loop_.listeners_.push_back(this);
}

EpollListener::~EpollListener() {
  ::close(fd_);
  std::erase(loop_.listeners_, this);
}

void EpollListener::set_interest(std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = reinterpret_cast<std::uint64_t>(this) | EpollLoop::tag_listener;
  epoll_ctl(loop_.epoll_fd_, EPOLL_CTL_MOD, fd_, &event);
}

void EpollListener::on_ready() {
  std::array<Accepted, accept_batch> batch;
  std::size_t count = 0;
  for (int tries = 0; tries < accept_batch; ++tries) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int fd =
        accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      batch[count++] = {fd, peer_of(from)};
    } else if (!survive(errno)) {
      break;
    }
  }
  if (count == 0) return;
  loop_.stats_.accepted += count;
  const std::shared_ptr<Loop::OnAccept> call = on_accept_;
  (*call)(std::span<const Accepted>(batch).first(count));
  // *this may be gone here.
}

bool EpollListener::survive(int error) {
  if (error == EAGAIN) return false;
  ++loop_.stats_.accept_failures;
  switch (error) {
    case EMFILE:
    case ENFILE:
      // Out of descriptors: the one kept in reserve makes room to take the connection and close it,
      // so that its client learns of it instead of waiting, and the loop does not spin.
      if (loop_.reserve_fd_ >= 0) {
        ::close(loop_.reserve_fd_);
        const int refused = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        if (refused >= 0) ::close(refused);
      }
      loop_.reserve_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (loop_.reserve_fd_ >= 0) return true;
      mute();
      return false;
    case ENOBUFS:
    case ENOMEM:
      mute();
      return false;
    default:  // ECONNABORTED, EPROTO, network errors: those of the one connection
      return true;
  }
}

void EpollListener::mute() {
  set_interest(0);
  loop_.timers_.arm(unmute_, loop_.now_ + mute_time);
}

}  // namespace gnomon::runtime
