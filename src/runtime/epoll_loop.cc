#include <algorithm>
#include <cassert>
#include <cerrno>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

#include "base/limits.h"
#include "runtime/epoll.h"
#include "runtime/network.h"

namespace gnomon::runtime {
namespace {

constexpr int timers_per_turn = 1024;
constexpr std::chrono::milliseconds sweep_period{500};

}  // namespace

EpollLoop::EpollLoop(MonotonicClock& monotonic, WallClock& wall)
    : monotonic_(monotonic), wall_(wall), read_buffer_(new std::uint8_t[limits::read_bytes]) {
  epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  reserve_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  epoll_event event{};
  // Edge-triggered: each write to it is one event, and it never has to be read.
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = tag_wake;
  if (epoll_fd_ < 0 || wake_fd_ < 0 || reserve_fd_ < 0 ||
      epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) != 0) {
    const int error = errno;
    for (const int fd : {epoll_fd_, wake_fd_, reserve_fd_}) {
      if (fd >= 0) ::close(fd);
    }
    throw std::system_error(error, std::generic_category(), "cannot make an event loop");
  }
  now_ = monotonic_.now();
  wall_now_ = wall_.now();
  wall_read_ = now_;
}

EpollLoop::~EpollLoop() {
  stop();
  while (!lingering_.empty()) lingering_.back().stream->finish_linger();
  for (EpollStream* stream : graveyard_) delete stream;
  ::close(reserve_fd_);
  ::close(wake_fd_);
  ::close(epoll_fd_);
}

StreamPtr EpollLoop::adopt(const Accepted& accepted, StreamHandler& handler) {
  auto* stream = new EpollStream(*this, handler, accepted.fd, false);
  stream->set_peer(accepted.peer);
  return StreamPtr(stream);
}

void EpollLoop::discard(const Accepted& accepted) {
  if (accepted.fd >= 0) ::close(accepted.fd);
}

// ---- waking. The loop says "asleep", then looks for mail; a sender fills the box, then looks for
// "asleep". All four are sequentially consistent, so at least one of them sees the other's.

void EpollLoop::wake() {
  if (!asleep_.load(std::memory_order_seq_cst)) return;
  if (!asleep_.exchange(false, std::memory_order_seq_cst)) return;  // another sender does it
  const std::uint64_t one = 1;
  // Fails only if the counter, which nobody reads, reached 2^64 - 1.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void EpollLoop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
    posted_.store(true, std::memory_order_seq_cst);
  }
  wake();
}

void EpollLoop::start(const std::string& name) {
  assert(!thread_.joinable());
  thread_ = std::thread([this, name] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    run();
  });
}

void EpollLoop::stop() {
  if (!thread_.joinable()) return;
  assert(thread_.get_id() != std::this_thread::get_id());
  stopping_.store(true, std::memory_order_seq_cst);
  wake();
  thread_.join();
  stopping_.store(false, std::memory_order_seq_cst);
}

// ---- the turn

void EpollLoop::run() {
  bool busy = true;
  while (!stopping_.load(std::memory_order_seq_cst)) busy = turn(busy);
}

bool EpollLoop::turn(bool busy) {
  const int count = wait(busy);
  ++stats_.turns;
  read_clocks();
  for (int i = 0; i < count; ++i) dispatch(events_[static_cast<std::size_t>(i)]);
  if (!failed_.empty()) report_failed();
  timers_.run(now_, timers_per_turn);
  run_tasks();
  const bool more = turn_handler_ != nullptr && turn_handler_->on_turn();
  write_dirty();
  if (!graveyard_.empty()) free_graveyard();
  return more || !dirty_.empty() || !failed_.empty();
}

int EpollLoop::wait(bool busy) {
  if (!busy) {
    Duration at_most = timers_.next() == Instant::never() ? Duration::max() : timers_.next() - now_;
    // now_ is as old as the turn was long: worth another look at the clock if little is left.
    if (at_most < std::chrono::milliseconds(10)) at_most = timers_.next() - monotonic_.now();
    if (at_most > Duration::zero()) {
      asleep_.store(true, std::memory_order_seq_cst);
      if (!stopping_.load(std::memory_order_seq_cst) && !posted_.load(std::memory_order_seq_cst) &&
          (turn_handler_ == nullptr || !turn_handler_->has_mail())) {
        const int count = sleep(at_most);
        asleep_.store(false, std::memory_order_seq_cst);
        return count;
      }
      asleep_.store(false, std::memory_order_seq_cst);
    }
  }
  return epoll_wait(epoll_fd_, events_.data(), static_cast<int>(events_.size()), 0);
}

int EpollLoop::sleep(Duration at_most) {
  const int size = static_cast<int>(events_.size());
  if (at_most == Duration::max()) return epoll_wait(epoll_fd_, events_.data(), size, -1);
  if (has_pwait2_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at_most);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (at_most - seconds).count()};
    const int count = epoll_pwait2(epoll_fd_, events_.data(), size, &timeout, nullptr);
    // A kernel before 5.11 does not have it, and a sandbox may not know it.
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    has_pwait2_ = false;
  }
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  constexpr std::int64_t day = 86'400'000;
  return epoll_wait(epoll_fd_, events_.data(), size, static_cast<int>(std::min(ms, day)));
}

void EpollLoop::read_clocks() {
  now_ = monotonic_.now();
  // The wall clock has a resolution of milliseconds; no need to read it more often.
  if (now_ - wall_read_ < std::chrono::milliseconds(1)) return;
  wall_read_ = now_;
  wall_now_ = wall_.now();
}

void EpollLoop::dispatch(const epoll_event& event) {
  const std::uint64_t pointer = event.data.u64 & ~tag_mask;
  switch (event.data.u64 & tag_mask) {
    case tag_stream:
      // Streams closed earlier in this turn are in the graveyard and know it.
      reinterpret_cast<EpollStream*>(pointer)->on_events(event.events);
      break;
    case tag_listener: {
      auto* listener = reinterpret_cast<EpollListener*>(pointer);
      const bool listening =
          std::find(listeners_.begin(), listeners_.end(), listener) != listeners_.end();
      if (listening) listener->on_ready();
      break;
    }
    default:
      ++stats_.wakes;
  }
}

void EpollLoop::run_tasks() {
  if (!posted_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
    posted_.store(false, std::memory_order_seq_cst);
  }
  for (auto& task : tasks) task();
}

void EpollLoop::report_failed() {
  failing_.swap(failed_);
  for (EpollStream* stream : failing_) stream->report_failure();
  failing_.clear();
}

void EpollLoop::free_graveyard() {
  // One that is still in dirty_ or failed_ waits for the next turn, which follows at once.
  std::erase_if(graveyard_, [](EpollStream* stream) {
    if (!stream->forgotten()) return false;
    delete stream;
    return true;
  });
}

// ---- lingering

bool EpollLoop::linger(EpollStream& stream) {
  const std::size_t pending = stream.pending();
  if (lingering_.size() >= limits::linger_streams_max) return false;
  if (pending > limits::linger_bytes_max - lingering_bytes_) return false;
  stream.lingering_ = true;
  stream.linger_slot_ = static_cast<std::uint32_t>(lingering_.size());
  lingering_bytes_ += pending;
  lingering_.push_back({&stream, now_ + limits::linger_time, pending, 0});
  if (!sweep_.armed()) timers_.arm(sweep_, now_ + sweep_period);
  return true;
}

void EpollLoop::unlinger(EpollStream& stream) {
  Lingering& place = lingering_[stream.linger_slot_];
  lingering_bytes_ -= place.pending;
  place = lingering_.back();
  place.stream->linger_slot_ = stream.linger_slot_;
  lingering_.pop_back();
  stream.lingering_ = false;
}

void EpollLoop::sweep_lingering() {
  for (std::size_t i = lingering_.size(); i-- > 0;) {
    if (lingering_[i].until <= now_) lingering_[i].stream->finish_linger();
  }
  if (!lingering_.empty()) timers_.arm(sweep_, now_ + sweep_period);
}

// ---- the network

namespace {

class EpollNetwork final : public Network {
 public:
  EpollNetwork(MonotonicClock& monotonic, WallClock& wall) : monotonic_(monotonic), wall_(wall) {}
  std::unique_ptr<Loop> make_loop() override {
    return std::make_unique<EpollLoop>(monotonic_, wall_);
  }

 private:
  MonotonicClock& monotonic_;
  WallClock& wall_;
};

}  // namespace

std::unique_ptr<Network> make_epoll_network(MonotonicClock& monotonic, WallClock& wall) {
  return std::make_unique<EpollNetwork>(monotonic, wall);
}

}  // namespace gnomon::runtime
