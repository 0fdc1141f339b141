// A network without a kernel: loops that a test steps in an order of its choice, pipes as sockets,
// clocks that stand still. One thread runs everything, so a whole server fits a unit test.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "runtime/network.h"

namespace gnomon::runtime {

// SimClient: the test's end of a simulated connection.
class SimClient {
 public:
  virtual ~SimClient() = default;
  // Bytes to the server; arrive in its loop's next turn.
  virtual void send(ByteView bytes) = 0;
  // What the server has written so far and was not taken yet.
  virtual Buffer& received() = 0;
  // The client's end closes; orderly, or as a reset.
  virtual void close(bool reset = false) = 0;
  // True once the server has closed.
  [[nodiscard]] virtual bool closed_by_server() const = 0;
  // While false the server's writes stay with it (a peer that does not read). Default true.
  virtual void set_reading(bool reading) = 0;
};

// SimNetwork: owns the simulated world. Loops made by it are not threads: start() and stop() only
// mark them; run() steps them.
class SimNetwork final : public Network {
 public:
  explicit SimNetwork(std::uint64_t seed);
  ~SimNetwork() override;

  ManualClock& clock();
  ManualWallClock& wall_clock();
  // The loops take the wall time from `wall`, which outlives them, instead of wall_clock().
  void use(const WallClock& wall);
  std::unique_ptr<Loop> make_loop() override;

  // While true, each turn hands over what arrived only in part, cut at random points, so that
  // framing meets every boundary. Default false.
  void set_splitting(bool on);

  // Connects to a listener of one of the loops; null if nobody listens at `address`.
  std::unique_ptr<SimClient> connect(const Address& address);

  // One turn of one loop that has something to do (input, mail, a timer due, a task), chosen at
  // random by the seed. False if none has.
  bool step();
  // Steps until nothing is left to do; at most `most` turns (then throws: something spins).
  void run(int most = 1'000'000);
  // Moves both clocks and runs.
  void advance(std::chrono::milliseconds by);

  struct State;  // sim.cc

 private:
  std::unique_ptr<State> state_;
};

}  // namespace gnomon::runtime
