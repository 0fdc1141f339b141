#include "runtime/sim.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "base/limits.h"

namespace gnomon::runtime {
namespace {

// What a peer that does not read still takes: its and our socket buffers together.
constexpr std::size_t socket_buffer_bytes = 64 * KiB;

// One direction of a connection.
struct Half {
  Buffer bytes;
  bool ended = false;    // the writer has closed
  bool reset = false;    // at once: what is in `bytes` is lost
  bool reading = true;   // while false only socket_buffer_bytes fit
  [[nodiscard]] std::size_t room() const {
    if (reading) return SIZE_MAX;
    return socket_buffer_bytes - std::min(bytes.size(), socket_buffer_bytes);
  }
};

struct Pipe {
  Half to_server, to_client;
};

class SimLoop;

class SimStream final : public Stream {
 public:
  SimStream(SimLoop& loop, StreamHandler& handler, std::shared_ptr<Pipe> pipe, Half& in, Half& out,
            bool connecting);
  void pause() override { paused_ = true; }
  void resume() override { paused_ = false; }
  void set_peer(const Peer& peer) { peer_ = peer; }

  [[nodiscard]] bool has_work() const {
    if (closed_) return short_ && out_.room() > 0;
    if (connecting_ || in_.reset) return true;
    if (!paused_ && (!in_.bytes.empty() || in_.ended)) return true;
    return short_ && out_.room() > 0;
  }
  void work(SeededRandom& random);
  [[nodiscard]] bool gone() const { return closed_ && !short_ && !dirty_; }
  [[nodiscard]] bool lingers() const { return closed_ && short_; }

 private:
  friend class SimLoop;
  void write_output() override;
  void close(bool flush_first) override;
  void end(Ended why);
  void finish();

  SimLoop& sim_;
  StreamHandler* handler_;
  std::shared_ptr<Pipe> pipe_;
  Half& in_;
  Half& out_;
  bool connecting_;
  bool paused_ = false;
  bool short_ = false;   // output waits for room
  bool closed_ = false;  // its user is gone
};

class SimListener;

}  // namespace

struct SimNetwork::State {
  explicit State(std::uint64_t seed) : random(seed) {}
  SeededRandom random;
  ManualClock clock;
  ManualWallClock wall;
  std::vector<SimLoop*> loops;
  std::vector<SimListener*> listeners;
  std::map<int, std::shared_ptr<Pipe>> accepted;  // on their way to a loop
  int next_number = 1000;
  std::uint16_t next_port = 20'000;
};

namespace {

class SimListener final : public Listener {
 public:
  SimListener(SimNetwork::State& world, SimLoop& loop, Address address, Loop::OnAccept on_accept)
      : world_(world), loop_(loop), address_(std::move(address)), on_accept_(std::move(on_accept)) {
    world_.listeners.push_back(this);
  }
  ~SimListener() override { std::erase(world_.listeners, this); }
  [[nodiscard]] const Address& address() const override { return address_; }

  SimNetwork::State& world_;
  SimLoop& loop_;
  Address address_;
  Loop::OnAccept on_accept_;
  std::vector<Accepted> waiting_;
};

class SimLoop final : public Loop {
 public:
  explicit SimLoop(SimNetwork::State& world) : world_(world) {
    world_.loops.push_back(this);
    read_clocks();
  }
  ~SimLoop() override {
    std::erase(world_.loops, this);
    for (SimStream* stream : streams_) delete stream;
  }

  StreamPtr adopt(const Accepted& accepted, StreamHandler& handler) override {
    auto node = world_.accepted.extract(accepted.fd);
    Pipe& pipe = *node.mapped();
    auto* stream = new SimStream(*this, handler, std::move(node.mapped()), pipe.to_server,
                                 pipe.to_client, false);
    stream->set_peer(accepted.peer);
    streams_.push_back(stream);
    return StreamPtr(stream);
  }
  void discard(const Accepted& accepted) override {
    const auto node = world_.accepted.extract(accepted.fd);
    node.mapped()->to_client.ended = true;
  }
  StreamPtr connect(const Address& address, StreamHandler& handler) override {
    std::shared_ptr<Pipe> pipe = dial(world_, address);
    const bool refused = pipe == nullptr;
    if (refused) pipe = std::make_shared<Pipe>();
    Pipe& halves = *pipe;
    if (refused) halves.to_client.reset = true;
    auto* stream = new SimStream(*this, handler, std::move(pipe), halves.to_client,
                                 halves.to_server, true);
    streams_.push_back(stream);
    return StreamPtr(stream);
  }
  Result<std::unique_ptr<Listener>> listen(const Address& address, OnAccept on_accept) override {
    Address bound = address;
    if (bound.port == 0) bound.port = world_.next_port++;
    for (const SimListener* other : world_.listeners) {
      if (other->address_ == bound) {
        return Error{Code::unavailable, to_string(bound) + ": address in use"};
      }
    }
    return std::unique_ptr<Listener>(
        std::make_unique<SimListener>(world_, *this, bound, std::move(on_accept)));
  }
  void wake() override {}
  void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  void start(const std::string&) override { started_ = true; }
  void stop() override { started_ = false; }
  [[nodiscard]] std::size_t closing() const override {
    return static_cast<std::size_t>(std::count_if(
        streams_.begin(), streams_.end(), [](const SimStream* s) { return s->lingers(); }));
  }

  // Makes a connection to whoever listens; null if nobody does.
  static std::shared_ptr<Pipe> dial(SimNetwork::State& world, const Address& address) {
    for (SimListener* listener : world.listeners) {
      if (!(listener->address_ == address)) continue;
      auto pipe = std::make_shared<Pipe>();
      Accepted accepted;
      accepted.fd = world.next_number++;
      accepted.peer.ip[10] = accepted.peer.ip[11] = 0xFF;  // ::ffff:127.0.0.1
      accepted.peer.ip[12] = 127;
      accepted.peer.ip[15] = 1;
      accepted.peer.port = static_cast<std::uint16_t>(accepted.fd);
      world.accepted[accepted.fd] = pipe;
      listener->waiting_.push_back(accepted);
      return pipe;
    }
    return nullptr;
  }

  [[nodiscard]] bool has_work() const {
    if (!started_) return false;
    if (busy_ || !tasks_.empty() || !dirty_.empty()) return true;
    if (turn_handler_ != nullptr && turn_handler_->has_mail()) return true;
    if (timers_.next() <= world_.clock.now()) return true;
    for (const SimListener* listener : world_.listeners) {
      if (&listener->loop_ == this && !listener->waiting_.empty()) return true;
    }
    return std::any_of(streams_.begin(), streams_.end(),
                       [](const SimStream* stream) { return stream->has_work(); });
  }

  void turn() {
    ++stats_.turns;
    read_clocks();
    for (SimListener* listener : std::vector(world_.listeners)) {
      if (&listener->loop_ != this || listener->waiting_.empty()) continue;
      const auto batch = std::exchange(listener->waiting_, {});
      stats_.accepted += batch.size();
      listener->on_accept_(batch);
    }
    // Copied: a handler may open streams. None is freed before the turn's end.
    for (SimStream* stream : std::vector(streams_)) {
      if (stream->has_work()) stream->work(world_.random);
    }
    timers_.run(now_, 1024);
    for (auto& task : std::exchange(tasks_, {})) task();
    busy_ = turn_handler_ != nullptr && turn_handler_->on_turn();
    write_dirty();
    std::erase_if(streams_, [](SimStream* stream) {
      if (!stream->gone()) return false;
      delete stream;
      return true;
    });
  }

  Stats& counted() { return stats_; }
  void take_back(Buffer&& buffer) { give_back(std::move(buffer)); }

 private:
  void read_clocks() {
    now_ = world_.clock.now();
    wall_now_ = world_.wall.now();
  }

  SimNetwork::State& world_;
  std::vector<SimStream*> streams_;
  std::vector<std::function<void()>> tasks_;
  bool started_ = false;
  bool busy_ = false;
};

// ---- streams

SimStream::SimStream(SimLoop& loop, StreamHandler& handler, std::shared_ptr<Pipe> pipe, Half& in,
                     Half& out, bool connecting)
    : Stream(loop),
      sim_(loop),
      handler_(&handler),
      pipe_(std::move(pipe)),
      in_(in),
      out_(out),
      connecting_(connecting) {}

void SimStream::work(SeededRandom& random) {
  if (short_ && out_.room() > 0) {
    write_output();
    if (!short_ && handler_ != nullptr) handler_->on_drained();
  }
  if (closed_) return;
  if (in_.reset) return end(connecting_ ? Ended::error : Ended::reset);
  if (connecting_) {
    connecting_ = false;
    return handler_->on_connected();
  }
  if (paused_) return;
  if (!in_.bytes.empty()) {
    // Now and then less than there is, so that packets arrive in pieces.
    std::size_t count = std::min(in_.bytes.size(), limits::read_bytes);
    if (random.below(4) == 0) count = 1 + random.below(count);
    Buffer taken;
    taken.append(in_.bytes.view().first(count));
    in_.bytes.consume(count);
    ++sim_.counted().reads;
    sim_.counted().bytes_read += count;
    return handler_->on_bytes(taken.view());
  }
  if (in_.ended) end(Ended::by_peer);
}

void SimStream::write_output() {
  const std::size_t count = std::min(output_.size(), out_.room());
  if (count > 0) {
    out_.bytes.append(output_.view().first(count));
    output_.consume(count);
    ++sim_.counted().writes;
    sim_.counted().bytes_written += count;
  }
  short_ = !output_.empty();
  if (short_) {
    ++sim_.counted().short_writes;
  } else {
    sim_.take_back(std::move(output_));
    if (closed_) finish();
  }
}

void SimStream::close(bool flush_first) {
  closed_ = true;
  handler_ = nullptr;
  if (flush_first && !in_.reset) {
    write_output();
  } else {
    finish();
  }
}

void SimStream::end(Ended why) {
  StreamHandler* handler = std::exchange(handler_, nullptr);
  closed_ = true;
  finish();
  handler->on_ended(why);
}

void SimStream::finish() {
  short_ = false;
  output_.clear();
  out_.ended = true;
}

class SimClientEnd final : public SimClient {
 public:
  explicit SimClientEnd(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  ~SimClientEnd() override { pipe_->to_server.ended = true; }
  void send(ByteView bytes) override {
    if (!pipe_->to_server.ended) pipe_->to_server.bytes.append(bytes);
  }
  Buffer& received() override { return pipe_->to_client.bytes; }
  void close(bool reset) override {
    pipe_->to_server.ended = true;
    pipe_->to_server.reset = pipe_->to_server.reset || reset;
  }
  [[nodiscard]] bool closed_by_server() const override { return pipe_->to_client.ended; }
  void set_reading(bool reading) override { pipe_->to_client.reading = reading; }

 private:
  std::shared_ptr<Pipe> pipe_;
};

}  // namespace

// ---- the network

SimNetwork::SimNetwork(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
SimNetwork::~SimNetwork() = default;

ManualClock& SimNetwork::clock() { return state_->clock; }
ManualWallClock& SimNetwork::wall_clock() { return state_->wall; }

std::unique_ptr<Loop> SimNetwork::make_loop() { return std::make_unique<SimLoop>(*state_); }

std::unique_ptr<SimClient> SimNetwork::connect(const Address& address) {
  auto pipe = SimLoop::dial(*state_, address);
  if (pipe == nullptr) return nullptr;
  return std::make_unique<SimClientEnd>(std::move(pipe));
}

bool SimNetwork::step() {
  std::vector<SimLoop*> ready;
  for (SimLoop* loop : state_->loops) {
    if (loop->has_work()) ready.push_back(loop);
  }
  if (ready.empty()) return false;
  ready[state_->random.below(ready.size())]->turn();
  return true;
}

void SimNetwork::run(int most) {
  while (step()) {
    if (--most < 0) throw std::logic_error("SimNetwork: a loop never comes to rest");
  }
}

void SimNetwork::advance(std::chrono::milliseconds by) {
  state_->clock.advance(by);
  state_->wall.advance(by);
  run();
}

}  // namespace gnomon::runtime
