// The loop on Linux epoll: what epoll_loop.cc, epoll_stream.cc and epoll_listener.cc share.
// Nobody else includes this; users see loop.h.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <sys/epoll.h>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "runtime/loop.h"

namespace gnomon::runtime {

class EpollLoop;

// EpollStream: a TCP connection. One allocation of less than 100 bytes; while idle it holds no
// buffer. Level-triggered: a read shorter than the buffer means drained, so there is no second
// recv() for EAGAIN. EPOLLOUT is asked for only after a short write.
//   open ──drop──▶ lingering (peer may still take the last bytes) ──▶ buried ──turn ends──▶ freed
// A closed stream's memory stays until the turn ends, so stale events never touch freed memory.
class EpollStream final : public Stream {
 public:
  // Registers `fd` (non-blocking). If that fails, on_ended(error) comes in the next turn.
  EpollStream(EpollLoop& loop, StreamHandler& handler, int fd, bool connecting);
  ~EpollStream() override;

  void pause() override;
  void resume() override;
  void set_handler(StreamHandler& handler) override {
    if (handler_ != nullptr) handler_ = &handler;
  }

  void on_events(std::uint32_t events);
  // The error that the constructor or connect() met, told a turn later.
  void report_failure();
  void fail_later();
  // Closes a lingering stream, whatever is left to send.
  void finish_linger();
  // True when no list of the loop refers to it any more.
  [[nodiscard]] bool forgotten() const { return !dirty_ && !listed_; }

 private:
  friend class EpollLoop;
  void write_output() override;
  void close(bool flush_first) override;

  // One send(). Returns 0 or an errno; what was not taken stays in output_.
  int send_output();
  void drop_output();
  void set_interest();
  void connected();
  void readable();
  void writable();
  void on_linger_events(std::uint32_t events);
  void end(Ended why);
  void close_descriptor();
  void bury();

  int fd_;
  StreamHandler* handler_;         // null once the user has dropped the stream or it has ended
  std::uint32_t read_turn_ = 0;    // the turn of the last input
  std::uint32_t linger_slot_ = 0;  // its place in the loop's lingering_
  bool paused_ : 1 = false;
  bool connecting_ : 1 = false;
  bool out_armed_ : 1 = false;  // EPOLLOUT is asked for
  bool full_read_ : 1 = false;  // the last read filled the buffer: more is waiting
  bool lingering_ : 1 = false;
  bool listed_ : 1 = false;  // in the loop's failed_
};
static_assert(sizeof(EpollStream) <= 104, "an idle connection is meant to be small");

class EpollListener final : public Listener {
 public:
  EpollListener(EpollLoop& loop, int fd, Address address, Loop::OnAccept on_accept);
  ~EpollListener() override;
  [[nodiscard]] const Address& address() const override { return address_; }
  // Accepts what waits, at most a batch. May be destroyed by the user's callback.
  void on_ready();

 private:
  // Listens again after the system was out of memory or descriptors.
  class Unmute final : public Timer {
   public:
    explicit Unmute(EpollListener& listener) : listener_(listener) {}

   private:
    void on_timer() override { listener_.set_interest(EPOLLIN); }
    EpollListener& listener_;
  };
  void set_interest(std::uint32_t events);
  // accept4() failed with `error`. True if trying again at once makes sense.
  bool survive(int error);
  void mute();

  EpollLoop& loop_;
  int fd_;
  Address address_;
  std::shared_ptr<Loop::OnAccept> on_accept_;  // shared: a call outlives the listener
  Unmute unmute_{*this};
};

class EpollLoop final : public Loop {
 public:
  EpollLoop(MonotonicClock& monotonic, WallClock& wall);
  ~EpollLoop() override;

  StreamPtr adopt(const Accepted& accepted, StreamHandler& handler) override;
  void discard(const Accepted& accepted) override;
  StreamPtr connect(const Address& address, StreamHandler& handler) override;
  Result<std::unique_ptr<Listener>> listen(const Address& address, OnAccept on_accept) override;
  void wake() override;
  void post(std::function<void()> task) override;
  void start(const std::string& name) override;
  void stop() override;
  [[nodiscard]] std::size_t closing() const override { return lingering_.size(); }

 private:
  friend class EpollStream;
  friend class EpollListener;

  // What an event's data points at is in its low bits; objects are aligned to 8.
  static constexpr std::uint64_t tag_stream = 0, tag_listener = 1, tag_wake = 2, tag_mask = 7;

  struct Lingering {
    EpollStream* stream;
    Instant until;
    std::size_t pending;    // output it began with, counted in lingering_bytes_
    std::size_t discarded;  // input thrown away since
  };
  class Sweep final : public Timer {
   public:
    explicit Sweep(EpollLoop& loop) : loop_(loop) {}

   private:
    void on_timer() override { loop_.sweep_lingering(); }
    EpollLoop& loop_;
  };

  void run();
  // One turn; true if the next must not sleep.
  bool turn(bool busy);
  int wait(bool busy);
  int sleep(Duration at_most);
  void dispatch(const epoll_event& event);
  void run_tasks();
  void report_failed();
  void free_graveyard();
  void read_clocks();

  // Takes a stream whose user is gone, with what it has to send. False if too many linger.
  bool linger(EpollStream& stream);
  void unlinger(EpollStream& stream);
  void sweep_lingering();

  MonotonicClock& monotonic_;
  WallClock& wall_;
  Instant wall_read_{};
  int epoll_fd_ = -1, wake_fd_ = -1, reserve_fd_ = -1;
  bool has_pwait2_ = true;
  std::unique_ptr<std::uint8_t[]> read_buffer_;
  std::array<epoll_event, 512> events_;
  std::vector<EpollStream*> graveyard_, failed_, failing_;
  std::vector<EpollListener*> listeners_;
  std::vector<Lingering> lingering_;
  std::size_t lingering_bytes_ = 0;
  Sweep sweep_{*this};

  // Shared with other threads.
  alignas(64) std::atomic<bool> asleep_{false};  // sleeps, or is about to: wake() must write
  std::atomic<bool> stopping_{false};
  std::atomic<bool> posted_{false};
  std::mutex tasks_mutex_;
  std::vector<std::function<void()>> tasks_;
  std::thread thread_;
};

}  // namespace gnomon::runtime
