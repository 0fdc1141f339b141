// Server: the whole of Gnomon, put together from the configuration in one readable place.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/wall_guard.h"
#include "partition/syncer.h"
#include "runtime/network.h"
#include "runtime/pool.h"
#include "server/config.h"
#include "server/material.h"
#include "server/secrets.h"
#include "store/store.h"

namespace gnomon::server {

// Everything that a server takes from outside. main.cc is the only place that makes real ones.
struct Ports {
  MonotonicClock& clock;
  GuardedWallClock& wall;  // the network's too
  Random& random;
  runtime::Network& network;
  store::Store& store;
  // For what may wait for the disk: reads, backups. Its tasks use the server: it must end before
  // the server is destroyed, and after stop().
  runtime::Pool& pool;
  runtime::Pool& passwords;  // for checking them, which takes long; the same holds for it
  const WallClock& shown;    // what others see on their clocks: for certificates
  // The keys and certificates of the data folder (material.h). Any thread, one call at a time.
  std::function<Result<Material>()> make_material;
  std::vector<std::string> host_names;  // this machine's, for Host headers
  // Makes who syncs the store and wakes the loops then; running when it is returned.
  using OnBroken = std::function<void(const Error&)>;
  std::function<std::unique_ptr<partition::Syncer>(std::vector<runtime::Loop*> loops, OnBroken)>
      make_syncer;
  // The store takes nothing any more: nothing more may be acknowledged, so the process must end.
  // Any thread; may be called more than once.
  OnBroken on_broken;
  Secrets secrets{};  // of the data folder: for IAM
};

// Server: owns the loops, shards and listeners.
// Threads: one, its maker's.
class Server {
 public:
  Server(const Config& config, Ports ports);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Reads what an earlier run has left in the store, and starts all; when it returns, every
  // listener is up. Errors: unavailable (the store fails or is damaged; a listener cannot be had:
  // the message names it and its setting).
  Result<void> start();
  // Stops accepting, tells MQTT 5 clients (0x8B). Returns at once.
  void begin_stop();
  // Begins to stop if that was not done, waits for output to be taken, at most config.drain_ms,
  // and returns when nothing is in flight. A server stops once.
  void stop();

  // Reads certificates, keys and passwords again; what is wrong with them is logged, and those from
  // before go on. Returns at once; `done` is told on the control loop's thread what came of it.
  void reload(std::function<void(const Result<void>&)> done);

  // Where it listens; nullopt or none: off.
  struct Listening {
    std::optional<std::string> mqtt, mqtts, http, admin;
    std::vector<std::string> https;
  };
  [[nodiscard]] const Listening& listening() const;
  [[nodiscard]] const std::string& root_path() const;  // of the root certificate

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The ready line of DESIGN §7, without a newline: {"event":"ready","mqtt":"127.0.0.1:1883",…}.
// Listeners that are off are null, several addresses an array. `root_path`: of the root
// certificate.
std::string ready_line(const Server::Listening& listening, const Config& config,
                       const std::string& root_path, int pid, std::int64_t start_ms);

}  // namespace gnomon::server
