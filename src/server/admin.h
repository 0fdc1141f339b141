// Admin: what the admin listener answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/shard.h"
#include "net/http.h"
#include "runtime/loop.h"
#include "server/config.h"
#include "server/readiness.h"
#include "server/server.h"

namespace gnomon::server {

// What an Admin looks at; all of it outlives it.
struct AdminView {
  const Config& config;
  Ports& ports;
  runtime::Loop& control;
  const std::vector<std::unique_ptr<runtime::Loop>>& loops;  // by shard
  const std::vector<std::unique_ptr<broker::Shard>>& shards;
};

// Admin: asks the shards' loops by post(), a page at a time, so that nothing stands still for it.
// Until begin() and after end() only /healthz and /readyz are answered.
// Owner: the server. Threads: the control loop's; begin(), end() and refused_early() any.
class Admin {
 public:
  explicit Admin(const AdminView& view);

  // Where it listens: config.listen_admin, which is not off. Errors: unavailable, invalid.
  Result<std::string> listen();
  void begin() { readiness_.begin(); }
  void end() { readiness_.end(); }
  [[nodiscard]] bool starting() const { return readiness_.starting(); }
  // A connection came before begin(), and was closed.
  void count_refused_early() { refused_early_.fetch_add(1, std::memory_order_relaxed); }

 private:
  using Respond = net::HttpServer::Respond;
  struct Route;
  void answer(const net::Request& request, Respond respond);
  void healthz(const net::Request& request, Respond respond);
  void readyz(const net::Request& request, Respond respond);
  void metrics(const net::Request& request, Respond respond);
  void backup(const net::Request& request, Respond respond);

  const AdminView view_;
  const WallTime started_;
  Readiness readiness_;
  std::atomic<std::uint64_t> refused_early_{0};
  bool backing_up_ = false;
  net::HttpServer http_;
};

}  // namespace gnomon::server
