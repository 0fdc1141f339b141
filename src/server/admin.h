// Admin: what the admin listener answers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/shard.h"
#include "net/http.h"
#include "runtime/loop.h"
#include "server/calls.h"
#include "server/claims.h"
#include "server/config.h"
#include "server/front.h"
#include "server/indexing.h"
#include "server/readiness.h"
#include "server/server.h"
#include "server/shadows.h"

namespace gnomon::server {

// What an Admin looks at; all of it outlives it.
struct AdminView {
  const Config& config;
  Ports& ports;
  runtime::Loop& control;
  const std::vector<std::unique_ptr<runtime::Loop>>& loops;  // by shard
  const std::vector<std::unique_ptr<broker::Shard>>& shards;
  const std::vector<std::unique_ptr<Front>>& fronts;  // the same
  const Calls& calls;
  const Claims& claims;
  const Shadows& shadows;
  const Indexing& indexing;
  const partition::Syncer& syncer;
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
  void answer(const net::Request& request, const Respond& respond);
  void healthz(const net::Request& request, const Respond& respond);
  void readyz(const net::Request& request, const Respond& respond);
  void metrics(const net::Request& request, const Respond& respond);
  void backup(const net::Request& request, const Respond& respond);

  // ---- admin_clients.cc
  void clients(const net::Request& request, const Respond& respond);
  void subscriptions(const net::Request& request, const Respond& respond);
  void client(const net::Request& request, const Respond& respond);
  void kick(const net::Request& request, const Respond& respond);
  void retained(const net::Request& request, const Respond& respond);
  struct Walk;
  std::shared_ptr<Walk> begin_walk(const net::Request& request, const char* name,
                                   const Respond& respond);
  template <class Page, class Add>
  void step(const std::shared_ptr<Walk>& walk, const Add& add);
  using WithRecord = std::function<void(const std::string& id, const broker::ClientRecord& record,
                                        const Respond& respond)>;
  void with_record(const net::Request& request, const Respond& respond, const WithRecord& then);
  void describe(const std::string& id, const broker::ClientRecord& record, const Respond& respond);
  [[nodiscard]] net::Response read_retained_page(const broker::RetainedRequest& wanted,
                                                 std::size_t limit) const;

  // ---- admin_trace.cc
  // Traced: a client id that somebody watches. Ends when nobody has asked for a while.
  class Traced final : public runtime::Timer {
   public:
    Traced(Admin& admin, std::uint64_t number, std::string client_id);
    void asked();
    const std::string client;

   private:
    void on_timer() override;
    Admin& admin_;
    const std::uint64_t number_;
  };
  void begin_trace(const net::Request& request, const Respond& respond);
  void trace(const net::Request& request, const Respond& respond);
  void delete_trace(const net::Request& request, const Respond& respond);
  Traced* find_trace(const net::Request& request, std::uint64_t& number, const Respond& respond);
  void end_trace(std::uint64_t number);

  const AdminView view_;
  const WallTime started_;
  Readiness readiness_;
  std::atomic<std::uint64_t> refused_early_{0};
  bool backing_up_ = false;
  int retained_reads_ = 0;  // on the pool
  std::map<std::uint64_t, std::unique_ptr<Traced>> traces_;
  std::uint64_t next_trace_ = 1;
  net::HttpServer http_;
};

}  // namespace gnomon::server
