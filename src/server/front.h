// Front: what becomes of a new connection until it is known what is spoken on it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "broker/shard.h"
#include "metrics/metrics.h"
#include "net/address_range.h"
#include "net/hosts.h"
#include "net/http.h"
#include "net/tls.h"
#include "runtime/loop.h"
#include "server/authentication.h"
#include "server/calls.h"
#include "server/config.h"

namespace gnomon::server {

// What the fronts of all shards share. Immutable once they run.
struct FrontSettings {
  std::array<bool, doors> behind_proxy{};
  std::vector<net::AddressRange> trusted;  // where that proxy connects from
  net::KnownHosts hosts;
  std::chrono::seconds connect_timeout = limits::connect_timeout;
  std::chrono::seconds http_idle = limits::http_idle;
  std::string root_pem;    // /_gnomon/root-ca.pem
  Calls* calls = nullptr;  // the AWS APIs
  const Authentication* authentication = nullptr;
};

// Front: on one shard's loop, takes a connection from its door to who speaks its protocol:
//   accepted → PROXY header → TLS handshake → MQTT (the shard) or HTTP → WebSocket → MQTT
// Each step is optional. Until it is done the connection is bounded in time (connect_timeout up to
// HTTP and from WebSocket on, http_idle between), number and bytes.
// Owner: the server. Threads: its loop's.
class Front {
 public:
  // `tls`: none if no door needs it.
  Front(runtime::Loop& loop, broker::Shard& shard, const FrontSettings& settings,
        std::shared_ptr<const net::TlsConfig> tls);
  ~Front();
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  // A connection that counts in the shard's load.
  void adopt(Door door, const runtime::Accepted& accepted);
  // For handshakes from now on.
  void use(std::shared_ptr<const net::TlsConfig> tls);
  // Closes what has not arrived, and all of HTTP.
  void stop();

  // Counters for /metrics.
  [[nodiscard]] metrics::Sample sample() const;

 private:
  class Arrival;
  enum class Count : std::uint8_t {
    refused_limit,
    refused_timeout,
    refused_proxy,
    refused_untrusted,
    http_refused_host,
    http_refused_websocket,
    http_refused_path,
    http_refused_method,
    count_
  };
  void add(Count count) { ++counts_[static_cast<std::size_t>(count)]; }
  void leave_shard();
  void log_refused_proxy(const runtime::Peer& peer, std::string_view why);
  void retire(Arrival& arrival);
  void serve(const net::Request& request, const net::Exchange& exchange);
  void open_websocket(const net::Request& request, const net::Exchange& exchange);
  void open_signed(const net::Exchange& exchange, operations::FrontDoor::Signed who);
  void take_over(const net::Exchange& exchange, const net::Response& answer,
                 std::shared_ptr<const broker::Proof> proof);

  runtime::Loop& loop_;
  broker::Shard& shard_;
  const FrontSettings& settings_;
  std::unique_ptr<net::TlsLayer> tls_;
  std::unordered_map<const Arrival*, std::unique_ptr<Arrival>> arrivals_;
  std::vector<std::unique_ptr<Arrival>> retired_;  // freed in a later turn: a call of one may run
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool stopping_ = false;
  std::array<std::uint64_t, static_cast<std::size_t>(Count::count_)> counts_{};
  std::uint64_t requests_ = 0, websockets_ = 0;
  LogLimiter proxy_log_{10}, tls_log_{10};
  net::HttpServer http_;
};

}  // namespace gnomon::server
