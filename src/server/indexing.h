// Indexing: brings the fleet index to what is configured, while everything else goes on.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "index/configuration.h"
#include "metrics/metrics.h"
#include "registry/registry.h"
#include "runtime/loop.h"
#include "runtime/pool.h"
#include "server/connectivity.h"
#include "server/shadows.h"
#include "store/store.h"

namespace gnomon::server {

// Indexing: first tells those who write what is indexed from now on, then walks what is there, a
// slice at a time on the pool, and says at last that it is done. What it is told of meanwhile
// begins from the front; so does a start after a run that ended in between. Owner: the server.
// Threads: changed() and sample() any; begin() before the loops start; the rest the control loop's
// and, one task at a time, the pool's.
class Indexing final : private runtime::Timer {
 public:
  struct Setup {
    registry::Registry& registry;
    store::Store& store;
    runtime::Loop& control;
    runtime::Pool& pool;
    Shadows& shadows;
    Connectivity& connectivity;
  };
  explicit Indexing(const Setup& setup) : setup_(setup) {}
  Indexing(const Indexing&) = delete;
  Indexing& operator=(const Indexing&) = delete;

  // What an earlier run has left: whoever was connected is not. Errors: the store's.
  Result<void> begin(WallTime now);
  // The configuration is another one.
  void changed();

  [[nodiscard]] metrics::Sample sample() const;

 private:
  // What is done one after the other.
  enum class Step : std::uint8_t { clear, things, shadows, connections, settle };

  struct Slice;
  void look();
  void tell(std::shared_ptr<const index::Configuration> what);
  void run(Step step, std::string place);
  void work(Step step, const std::string& place);  // on the pool
  void index_shadows(const std::string& place);    // the same
  void next(Step step, std::string place);         // any thread
  void failed(const Error& error);                 // any thread
  void on_timer() override { run(step_, place_); }

  const Setup setup_;
  std::shared_ptr<const index::Configuration> what_;  // that is worked on
  bool running_ = false, again_ = false;
  Step step_ = Step::clear;  // that waits for space on the disk
  std::string place_;
  std::atomic<bool> building_{false};
  std::atomic<std::uint64_t> things_{0}, shadows_{0};
};

}  // namespace gnomon::server
