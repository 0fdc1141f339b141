#include "runtime/sim.h"

#include <algorithm>
#include <stdexcept>

#include "runtime/sim_state.h"

namespace gnomon::runtime {
namespace {

class PipeClient final : public SimClient {
 public:
  explicit PipeClient(std::shared_ptr<SimPipe> pipe) : pipe_(std::move(pipe)) {
    pipe_->side[0].test = true;
  }
  ~PipeClient() override { pipe_->close(0, false); }

  void send(ByteView bytes) override {
    if (!pipe_->side[0].closed) pipe_->write_all(1, bytes);
  }
  Buffer& received() override { return pipe_->side[0].taken; }
  void close(bool reset) override { pipe_->close(0, reset); }
  [[nodiscard]] bool closed_by_server() const override {
    return pipe_->side[0].fin || pipe_->side[0].reset;
  }
  void set_reading(bool reading) override {
    SimPipe::Side& mine = pipe_->side[0];
    mine.reading = reading;
    if (!reading) return;
    mine.taken.append(mine.in.view());
    mine.in.release();
  }

 private:
  std::shared_ptr<SimPipe> pipe_;
};

}  // namespace

SimListener* SimNetwork::State::listener_at(const Address& address) {
  for (SimListener* listener : listeners) {
    const std::string& host = listener->address_.host;
    const bool any = host == "0.0.0.0" || host == "::";
    if (listener->address_.port == address.port && (any || host == address.host)) return listener;
  }
  return nullptr;
}

std::shared_ptr<SimPipe> SimNetwork::State::connect(SimListener& listener) {
  auto pipe = std::make_shared<SimPipe>();
  constexpr std::uint8_t loopback[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
  std::copy(std::begin(loopback), std::end(loopback), pipe->peer.ip);
  pipe->peer.port = next_client_port++;
  const int number = next_pipe++;
  unadopted.emplace(number, pipe);
  listener.waiting_.push_back({number, pipe->peer});
  return pipe;
}

void SimNetwork::State::advance(Duration by) {
  clock.advance(by);
  wall_rest += by;
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(wall_rest);
  wall_rest -= whole;
  wall.advance(whole);
}

SimNetwork::SimNetwork(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
SimNetwork::~SimNetwork() = default;

ManualClock& SimNetwork::clock() { return state_->clock; }
ManualWallClock& SimNetwork::wall_clock() { return state_->wall; }
void SimNetwork::use(const WallClock& wall) { state_->shown = &wall; }
void SimNetwork::set_splitting(bool on) { state_->splitting = on; }

std::unique_ptr<Loop> SimNetwork::make_loop() { return std::make_unique<SimLoop>(*state_); }

std::unique_ptr<SimClient> SimNetwork::connect(const Address& address) {
  SimListener* listener = state_->listener_at(address);
  if (listener == nullptr) return nullptr;
  return std::make_unique<PipeClient>(state_->connect(*listener));
}

bool SimNetwork::step() {
  std::vector<SimLoop*> busy;
  for (SimLoop* loop : state_->loops) {
    if (loop->has_work()) busy.push_back(loop);
  }
  if (busy.empty()) return false;
  busy[state_->random.below(busy.size())]->turn();
  return true;
}

void SimNetwork::run(int most) {
  for (int turns = 0; step(); ++turns) {
    if (turns >= most) throw std::runtime_error("SimNetwork::run: the loops do not come to rest");
  }
}

// From timer to timer, so that each fires at its instant and what it arms fires too.
void SimNetwork::advance(std::chrono::milliseconds by) {
  const Instant end = state_->clock.now() + by;
  run();
  for (;;) {
    Instant next = end;
    for (const SimLoop* loop : state_->loops) next = std::min(next, loop->next_timer());
    const Instant now = state_->clock.now();
    if (next > now) state_->advance(next - now);
    run();
    if (next >= end) return;
  }
}

}  // namespace gnomon::runtime
