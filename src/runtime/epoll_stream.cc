#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "runtime/epoll.h"

namespace gnomon::runtime {
namespace {

Ended why_ended(int error) {
  return error == ECONNRESET || error == EPIPE ? Ended::reset : Ended::error;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

EpollStream::EpollStream(EpollLoop& loop, StreamHandler& handler, int fd, bool connecting)
    : Stream(loop), fd_(fd), handler_(&handler), connecting_(connecting) {
  epoll_event event{};
  event.events = connecting ? EPOLLOUT : EPOLLIN;
  event.data.u64 = reinterpret_cast<std::uint64_t>(this) | EpollLoop::tag_stream;
  if (epoll_ctl(loop.epoll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) fail_later();
}

EpollStream::~EpollStream() = default;

void EpollStream::fail_later() {
  auto& loop = static_cast<EpollLoop&>(loop_);
  if (listed_) return;
  listed_ = true;
  loop.failed_.push_back(this);
}

void EpollStream::report_failure() {
  listed_ = false;
  if (handler_ != nullptr) end(Ended::error);
}

void EpollStream::pause() {
  if (paused_) return;
  paused_ = true;
  if (fd_ >= 0 && !connecting_) set_interest();
}

void EpollStream::resume() {
  if (!paused_) return;
  paused_ = false;
  if (fd_ >= 0 && !connecting_) set_interest();
}

void EpollStream::set_interest() {
  epoll_event event{};
  event.events = (paused_ ? 0U : EPOLLIN) | (out_armed_ ? EPOLLOUT : 0U);
  event.data.u64 = reinterpret_cast<std::uint64_t>(this) | EpollLoop::tag_stream;
  // Cannot fail for a descriptor that is registered.
  epoll_ctl(static_cast<EpollLoop&>(loop_).epoll_fd_, EPOLL_CTL_MOD, fd_, &event);
}

void EpollStream::on_events(std::uint32_t events) {
  if (fd_ < 0 || listed_) return;  // closed earlier in this turn, or about to be reported
  if (lingering_) return on_linger_events(events);
  if (connecting_) return connected();
  if ((events & EPOLLOUT) != 0 && out_armed_) {
    writable();
    if (handler_ == nullptr) return;
  }
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
  if (!paused_) return readable();
  // Paused, yet the kernel reports errors and full hang-ups all the same. Nothing can be sent any
  // more, and not ending here would spin.
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) end(why_ended(socket_error(fd_)));
}

void EpollStream::connected() {
  connecting_ = false;
  const int error = socket_error(fd_);
  if (error != 0) return end(why_ended(error));
  set_interest();
  if (!output_.empty()) flush();
  handler_->on_connected();
}

void EpollStream::readable() {
  auto& loop = static_cast<EpollLoop&>(loop_);
  const ssize_t count = recv(fd_, loop.read_buffer_.get(), limits::read_bytes, 0);
  ++loop.stats_.reads;
  if (count > 0) {
    loop.stats_.bytes_read += static_cast<std::uint64_t>(count);
    read_turn_ = static_cast<std::uint32_t>(loop.stats_.turns);
    full_read_ = static_cast<std::size_t>(count) == limits::read_bytes;
    handler_->on_input({loop.read_buffer_.get(), static_cast<std::size_t>(count)});
    return;
  }
  if (count == 0) return end(Ended::by_peer);
  if (errno != EAGAIN && errno != EINTR) end(why_ended(errno));
}

void EpollStream::writable() {
  const int error = send_output();
  count_unsent();
  if (error != 0) return end(why_ended(error));
  if (!output_.empty()) return;
  out_armed_ = false;
  set_interest();
  handler_->on_drained();
}

void EpollStream::write_output() {
  if (fd_ < 0) return drop_output();
  // While EPOLLOUT is awaited a send would only be refused.
  if (connecting_ || out_armed_ || output_.empty()) return;
  const int error = send_output();
  if (error != 0) return end(why_ended(error));
  if (output_.empty()) return;
  out_armed_ = true;
  set_interest();
}

int EpollStream::send_output() {
  auto& loop = static_cast<EpollLoop&>(loop_);
  const std::size_t size = output_.size();
  const ssize_t sent = send(fd_, output_.data(), size, MSG_NOSIGNAL);
  ++loop.stats_.writes;
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) return errno;
    ++loop.stats_.short_writes;
    return 0;
  }
  loop.stats_.bytes_written += static_cast<std::uint64_t>(sent);
  ++progress_;
  if (static_cast<std::size_t>(sent) == size) {
    drop_output();
  } else {
    output_.consume(static_cast<std::size_t>(sent));
    ++loop.stats_.short_writes;
  }
  return 0;
}

void EpollStream::drop_output() {
  output_.clear();
  static_cast<EpollLoop&>(loop_).give_back(std::move(output_));
}

void EpollStream::end(Ended why) {
  StreamHandler* handler = std::exchange(handler_, nullptr);
  close_descriptor();
  drop_output();
  handler->on_ended(why);
}

void EpollStream::close_descriptor() {
  ::close(fd_);  // leaves the epoll set with it: the descriptor has no duplicate
  fd_ = -1;
}

void EpollStream::bury() {
  if (output_.capacity() != 0) drop_output();
  static_cast<EpollLoop&>(loop_).graveyard_.push_back(this);
}

// A stream is closed without a reset if the peer might lose its last bytes by one: closing a socket
// with unread input makes the kernel send RST, and a peer that gets it may throw away what it has
// not read yet, such as the DISCONNECT that says why. So if input may be waiting, the sending side
// is shut, and input is discarded until the peer closes too. All others are closed with one call.
void EpollStream::close(bool flush_first) {
  handler_ = nullptr;
  auto& loop = static_cast<EpollLoop&>(loop_);
  if (fd_ < 0) return bury();
  bool wrote = false;
  if (connecting_ || !flush_first) {
    drop_output();
  } else if (!output_.empty() && !out_armed_) {
    wrote = true;
    if (send_output() != 0) drop_output();
  }
  const bool read_now = read_turn_ == static_cast<std::uint32_t>(loop.stats_.turns);
  const bool input_waits = full_read_ || paused_ || (wrote && read_now);
  const bool worth_it = !connecting_ && (!output_.empty() || input_waits);
  if (worth_it && loop.linger(*this)) {
    paused_ = false;
    out_armed_ = !output_.empty();
    if (!out_armed_) shutdown(fd_, SHUT_WR);
    set_interest();
    return;
  }
  close_descriptor();
  bury();
}

void EpollStream::on_linger_events(std::uint32_t events) {
  auto& loop = static_cast<EpollLoop&>(loop_);
  if ((events & EPOLLOUT) != 0 && out_armed_) {
    if (send_output() != 0) return finish_linger();
    if (output_.empty()) {
      out_armed_ = false;
      // Nothing can be waiting any more from a peer that has closed its side.
      if (paused_) return finish_linger();
      shutdown(fd_, SHUT_WR);
      set_interest();
    }
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) return finish_linger();
  if ((events & EPOLLIN) == 0 || paused_) return;
  const ssize_t count = recv(fd_, loop.read_buffer_.get(), limits::read_bytes, 0);
  ++loop.stats_.reads;
  if (count > 0) {
    std::size_t& discarded = loop.lingering_[linger_slot_].discarded;
    discarded += static_cast<std::size_t>(count);
    if (discarded > limits::linger_input_bytes_max) finish_linger();
  } else if (count == 0 && out_armed_) {
    paused_ = true;  // the peer has closed its side but may still read ours
    set_interest();
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    finish_linger();
  }
}

void EpollStream::finish_linger() {
  static_cast<EpollLoop&>(loop_).unlinger(*this);
  close_descriptor();
  bury();
}

}  // namespace gnomon::runtime
