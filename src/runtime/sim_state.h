// What sim.cc and sim_loop.cc share. Nobody else includes this.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "runtime/sim.h"

namespace gnomon::runtime {

class SimLoop;
class SimStream;
class SimListener;

// What the kernel would hold for a socket whose owner does not read.
constexpr std::size_t sim_socket_bytes = 64 * KiB;

// SimPipe: a connection. Side 0 connected, side 1 was accepted; each is a test's SimClient or a
// SimStream.
struct SimPipe {
  struct Side {
    Buffer in;                    // arrived, not taken by its owner
    SimStream* stream = nullptr;  // its owner, if that is a loop's
    bool test = false;            // its owner is a SimClient
    bool reading = true;          // a SimClient's wish
    bool closed = false;          // its owner closed
    bool fin = false;             // the other side closed, after `in`
    bool reset = false;           // the other side reset
    Buffer taken;                 // a SimClient's received()
  };
  Side side[2];
  Peer peer;  // of side 0

  // How many bytes side `to` takes now.
  [[nodiscard]] std::size_t room(int to) const;
  // Moves from `output` to side `to` what it has room for.
  void write(int to, Buffer& output);
  void write_all(int to, ByteView bytes);
  // The owner of `from` closes.
  void close(int from, bool with_reset);
};

struct SimNetwork::State {
  explicit State(std::uint64_t seed) : random(seed) {}

  ManualClock clock;
  ManualWallClock wall;
  const WallClock* shown = &wall;  // what the loops look at
  SeededRandom random;
  bool splitting = false;
  std::vector<SimLoop*> loops;
  std::vector<SimListener*> listeners;
  std::map<int, std::shared_ptr<SimPipe>> unadopted;  // accepted, by number
  int next_pipe = 1;
  std::uint16_t next_port = 40000, next_client_port = 10000;
  Duration wall_rest{};  // time that advanced the monotonic clock but not yet the wall clock

  SimListener* listener_at(const Address& address);
  // A connection to `listener`, to be accepted in its loop's next turn.
  std::shared_ptr<SimPipe> connect(SimListener& listener);
  void advance(Duration by);
};

class SimStream final : public Stream {
 public:
  SimStream(SimLoop& loop, StreamHandler& handler, std::shared_ptr<SimPipe> pipe, int side);
  ~SimStream() override;

  void pause() override { paused_ = true; }
  void resume() override { paused_ = false; }
  void set_handler(StreamHandler& handler) override {
    if (handler_ != nullptr) handler_ = &handler;
  }

  // True if serve() would do something.
  [[nodiscard]] bool ready() const;
  // Input, connection outcome, room for output: what epoll would report.
  void serve();
  [[nodiscard]] bool forgotten() const { return buried_ && !dirty_; }

 private:
  // Ends the lingering of a stream whose peer does not take the rest.
  class Linger final : public Timer {
   public:
    explicit Linger(SimStream& stream) : stream_(stream) {}

   private:
    void on_timer() override { stream_.bury(); }
    SimStream& stream_;
  };
  friend class SimLoop;

  void write_output() override;
  void close(bool flush_first) override;
  void deliver();
  void end(Ended why);
  void bury();
  SimLoop& loop();
  SimPipe::Side& mine() { return pipe_->side[side_]; }
  [[nodiscard]] const SimPipe::Side& mine() const { return pipe_->side[side_]; }
  [[nodiscard]] int other() const { return 1 - side_; }

  std::shared_ptr<SimPipe> pipe_;  // null: the connection was refused
  int side_;
  StreamHandler* handler_;
  bool connecting_ = false, paused_ = false, blocked_ = false, buried_ = false;
  Linger linger_{*this};
};

class SimListener final : public Listener {
 public:
  SimListener(SimLoop& loop, Address address, Loop::OnAccept on_accept);
  ~SimListener() override;
  [[nodiscard]] const Address& address() const override { return address_; }

 private:
  friend class SimLoop;
  friend struct SimNetwork::State;
  SimLoop& loop_;
  Address address_;
  std::shared_ptr<Loop::OnAccept> on_accept_;  // shared: a call outlives the listener
  std::vector<Accepted> waiting_;
};

class SimLoop final : public Loop {
 public:
  explicit SimLoop(SimNetwork::State& state);
  ~SimLoop() override;

  StreamPtr adopt(const Accepted& accepted, StreamHandler& handler) override;
  void discard(const Accepted& accepted) override;
  StreamPtr connect(const Address& address, StreamHandler& handler) override;
  Result<std::unique_ptr<Listener>> listen(const Address& address, OnAccept on_accept) override;
  void wake() override { woken_ = true; }
  void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  void start(const std::string&) override {
    running_ = woken_ = true;
  }  // a thread begins with a turn
  void stop() override { running_ = false; }

  [[nodiscard]] bool has_work() const;
  void turn();
  [[nodiscard]] Instant next_timer() const { return running_ ? timers_.next() : Instant::never(); }

 private:
  friend class SimStream;
  friend class SimListener;
  void accept();
  void serve_streams();

  SimNetwork::State& state_;
  bool running_ = false, woken_ = false, more_ = false;
  std::vector<std::function<void()>> tasks_;
  std::vector<SimStream*> streams_;  // all, the buried ones too until the turn ends
};

}  // namespace gnomon::runtime
