// Network: where loops come from. The real one is epoll; the simulation's is for tests.
#pragma once

#include <memory>

#include "base/clock.h"
#include "runtime/loop.h"

namespace gnomon::runtime {

class Network {
 public:
  virtual ~Network() = default;
  virtual std::unique_ptr<Loop> make_loop() = 0;
};

// Loops on epoll, with the clocks given. Start-up failures (no descriptors) throw.
std::unique_ptr<Network> make_epoll_network(MonotonicClock& monotonic, WallClock& wall);

// Resolves a host name to literals (getaddrinfo; blocks: never on a loop).
// Errors: not_found, with the name.
Result<Address> resolve(const Address& address);

}  // namespace gnomon::runtime
