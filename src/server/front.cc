#include "server/front.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

#include "api/render.h"
#include "api/sigv4.h"
#include "base/limits.h"
#include "net/proxy.h"
#include "net/websocket.h"
#include "net/websocket_handshake.h"
#include "server/keyring.h"

namespace gnomon::server {

namespace {

constexpr std::string_view websocket_path = "/mqtt";
constexpr std::string_view own_paths = "/_gnomon";  // all others are the AWS APIs'
constexpr std::string_view root_path = "/_gnomon/root-ca.pem";
// Where the operations of the service gnomon are.
constexpr std::string_view own_operations[] = {"/_gnomon/policy/", "/_gnomon/things/"};

// No bucket of S3 can have this name.
bool is_own(std::string_view path) {
  return path == own_paths || (path.starts_with(own_paths) && path[own_paths.size()] == '/');
}

bool is_own_operation(std::string_view path) {
  return std::ranges::any_of(own_operations,
                             [&](std::string_view prefix) { return path.starts_with(prefix); });
}

// Until the shard has a stream nobody listens to it.
class Nobody final : public runtime::StreamHandler {
  void on_bytes(ByteView) override {}
  void on_ended(runtime::Ended) override {}
};

}  // namespace

// Arrival: one connection on its way. Owner: its front.
class Front::Arrival final : public runtime::StreamHandler, private runtime::Timer {
 public:
  Arrival(Front& front, Door door) : front_(front), door_(door) {}

  void open(const runtime::Accepted& accepted) {
    front_.loop_.timers().arm(*this, front_.loop_.now() + front_.settings_.connect_timeout);
    if (front_.settings_.behind_proxy[static_cast<std::size_t>(door_)]) {
      stream_ = front_.loop_.adopt(accepted, *this);
    } else {
      stream_ = front_.tls_->adopt(accepted, *this);
    }
  }

 private:
  [[nodiscard]] bool is_encrypted() const { return door_ == Door::mqtts || door_ == Door::https; }

  // Only the PROXY header comes here: what is behind it is somebody else's to hear.
  void on_bytes(ByteView bytes) override {
    head_.append(bytes);
    const net::ProxyRead read = net::read_proxy_header(head_.view());
    if (const auto* refused = std::get_if<net::ProxyRefused>(&read)) {
      front_.log_refused_proxy(stream_->peer(), refused->why);
      return refuse(Count::refused_proxy);
    }
    const auto* header = std::get_if<net::ProxyHeader>(&read);
    if (header == nullptr) return;
    // Whom a proxy speaks for without saying is nobody's neighbour: not `local`.
    stream_->set_peer(header->has_peer ? header->peer : runtime::Peer{});
    const ByteView unread = head_.view().subspan(header->bytes);
    if (!is_encrypted()) return hand_over(unread);
    stream_ = front_.tls_->adopt(std::move(stream_), unread, *this);
  }

  void on_connected() override { hand_over({}); }
  void on_ended(runtime::Ended) override {
    front_.leave_shard();
    finish();
  }
  void on_timer() override { refuse(Count::refused_timeout); }

  [[nodiscard]] bool speaks_mqtt() const {
    const runtime::Security* security = stream_->security();
    if (security == nullptr || security->protocol.empty()) {
      return door_ == Door::mqtt || door_ == Door::mqtts;
    }
    return std::find(std::begin(alpn::mqtt), std::end(alpn::mqtt), security->protocol) !=
           std::end(alpn::mqtt);
  }

  void hand_over(ByteView unread) {
    if (speaks_mqtt()) {
      front_.shard_.adopt(std::move(stream_), unread);
    } else {
      front_.leave_shard();
      front_.http_.adopt(std::move(stream_), unread);
    }
    finish();
  }
  void refuse(Count count) {
    front_.add(count);
    front_.leave_shard();
    finish();
  }
  void finish() {
    disarm();
    stream_.reset();
    front_.retire(*this);
  }

  Front& front_;
  const Door door_;
  runtime::StreamPtr stream_;
  Buffer head_;  // of the PROXY protocol
};

// ---- life

Front::Front(runtime::Loop& loop, broker::Shard& shard, const FrontSettings& settings,
             std::shared_ptr<const net::TlsConfig> tls)
    : loop_(loop),
      shard_(shard),
      settings_(settings),
      http_(loop,
            [this](const net::Request& request, const net::Exchange& exchange) {
              serve(request, exchange);
            },
            {.connections_max = limits::http_connections_max, .idle = settings.http_idle}) {
  if (!tls) return;
  tls_ = std::make_unique<net::TlsLayer>(loop_, std::move(tls));
  // Who only looks whether somebody is here is not worth a line.
  tls_->on_failed([this](const runtime::Peer& peer, net::TlsFault fault, std::string_view why) {
    if (fault == net::TlsFault::gone || !tls_log_.allow(loop_.now())) return;
    log_info("tls_failed", {{"peer", peer.to_string()}, {"what", why}});
  });
}

Front::~Front() { *alive_ = false; }

void Front::use(std::shared_ptr<const net::TlsConfig> tls) {
  if (tls_) tls_->use(std::move(tls));
}

void Front::stop() {
  stopping_ = true;
  arrivals_.clear();
  http_.stop();
}

void Front::adopt(Door door, const runtime::Accepted& accepted) {
  const bool behind_proxy = settings_.behind_proxy[static_cast<std::size_t>(door)];
  const bool trusted =
      !behind_proxy ||
      std::any_of(settings_.trusted.begin(), settings_.trusted.end(),
                  [&](const net::AddressRange& range) { return range.holds(accepted.peer); });
  if (door == Door::mqtt && !behind_proxy) return shard_.adopt(accepted);
  if (!trusted) log_refused_proxy(accepted.peer, "its address is not in proxy.trusted");
  if (stopping_ || !trusted || arrivals_.size() >= limits::arrivals_max) {
    add(trusted ? Count::refused_limit : Count::refused_untrusted);
    leave_shard();
    return loop_.discard(accepted);
  }
  if (door == Door::http && !behind_proxy) {
    leave_shard();
    return http_.adopt(accepted);
  }
  auto arrival = std::make_unique<Arrival>(*this, door);
  Arrival& opened = *arrival;
  arrivals_.emplace(&opened, std::move(arrival));
  opened.open(accepted);
}

void Front::log_refused_proxy(const runtime::Peer& peer, std::string_view why) {
  if (!proxy_log_.allow(loop_.now())) return;
  log_info("proxy_refused", {{"peer", peer.to_string()}, {"what", why}});
}

void Front::leave_shard() { shard_.load_counter().fetch_sub(1, std::memory_order_relaxed); }

void Front::retire(Arrival& arrival) {
  const auto at = arrivals_.find(&arrival);
  if (at == arrivals_.end()) return;
  retired_.push_back(std::move(at->second));
  arrivals_.erase(at);
  if (retired_.size() > 1) return;
  loop_.post([this, alive = alive_] {
    if (*alive) retired_.clear();
  });
}

// ---- HTTP

void Front::serve(const net::Request& request, const net::Exchange& exchange) {
  ++requests_;
  if (request.path() == websocket_path) return open_websocket(request, exchange);
  if (const auto refusal = net::refuse_host(request, settings_.hosts)) {
    add(Count::http_refused_host);
    return exchange.respond(*refusal);
  }
  if (request.path() == root_path) {
    if (request.method != "GET" && request.method != "HEAD") {
      add(Count::http_refused_method);
      return exchange.respond({405, {{"Allow", "GET, HEAD"}}, "only GET, HEAD\n"});
    }
    return exchange.respond(
        {200, {{"Content-Type", "application/x-pem-file"}}, settings_.root_pem});
  }
  if (Calls::wants_credentials(request))
    return settings_.calls->serve_credentials(exchange, loop_, *settings_.authentication);
  if (!is_own(request.path()) || is_own_operation(request.path()))
    return settings_.calls->serve(exchange, loop_, *settings_.authentication);
  add(Count::http_refused_path);
  exchange.respond(net::plain_answer(404, "under /_gnomon/ is nothing but /_gnomon/root-ca.pem"));
}

void Front::open_websocket(const net::Request& request, const net::Exchange& exchange) {
  const net::Response answer = net::answer_websocket(request, settings_.hosts);
  if (answer.status != 101) {
    add(answer.status == 421 ? Count::http_refused_host : Count::http_refused_websocket);
    return exchange.respond(answer);
  }
  // A signature that is there must hold, whoever it may be otherwise.
  if (api::is_signed(request)) {
    return settings_.calls->who_signed(
        exchange, loop_, [this, alive = alive_, exchange](operations::FrontDoor::Signed who) {
          if (*alive) open_signed(exchange, std::move(who));
        });
  }
  if (!settings_.authentication->may_know(*exchange.peer(), exchange.security())) {
    add(Count::http_refused_websocket);
    return exchange.respond(net::plain_answer(
        403, "no identity: sign the upgrade, or show a certificate of the registry"));
  }
  take_over(exchange, answer, nullptr);
}

void Front::open_signed(const net::Exchange& exchange, operations::FrontDoor::Signed who) {
  const net::Request* const request = exchange.request();
  if (request == nullptr) return;
  if (who.caller) {
    return take_over(
        exchange, net::answer_websocket(*request, settings_.hosts),
        std::make_shared<const SignedBy>(std::move(who.caller), std::move(who.security_token),
                                         std::move(who.keys)));
  }
  add(Count::http_refused_websocket);
  if (tls_log_.allow(loop_.now())) {
    log_info("websocket_refused", {{"peer", exchange.peer()->to_string()},
                                   {"error", who.error.name},
                                   {"what", who.error.message}});
  }
  exchange.respond(api::render(*api::service_named("iot"), who.error, who.request_id));
}

void Front::take_over(const net::Exchange& exchange, const net::Response& answer,
                      std::shared_ptr<const broker::Proof> proof) {
  auto taken = exchange.take_over(answer);
  if (!taken.stream) return;
  ++websockets_;
  static Nobody nobody;
  shard_.load_counter().fetch_add(1, std::memory_order_relaxed);
  shard_.adopt(net::open_websocket(std::move(taken.stream), taken.unread.view(), nobody), {},
               std::move(proof));
}

// ---- metrics

metrics::Sample Front::sample() const {
  using metrics::Kind;
  using metrics::Row;
  static constexpr const char* refused =
      "Connections closed before MQTT or HTTP was spoken on them, by reason.";
  static constexpr const char* handshakes = "TLS handshakes, by result.";
  static constexpr const char* requests =
      "HTTP requests refused and connections ended for them, by reason (docs/metrics.md).";
  static constexpr std::array rows{
      Row{"gnomon_arrivals_refused_total", Kind::counter, "reason=\"limit\"", refused},
      Row{"gnomon_arrivals_refused_total", Kind::counter, "reason=\"timeout\"", refused},
      Row{"gnomon_arrivals_refused_total", Kind::counter, "reason=\"proxy_header\"", refused},
      Row{"gnomon_arrivals_refused_total", Kind::counter, "reason=\"untrusted_proxy\"", refused},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"host\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"websocket\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"path\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"method\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"limit\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"malformed\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"head_too_large\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"body_too_large\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"timeout\"", requests},
      Row{"gnomon_http_refused_total", Kind::counter, "reason=\"slow_reader\"", requests},
      Row{"gnomon_http_requests_total", Kind::counter, "", "Requests on the HTTP listeners."},
      Row{"gnomon_websockets_total", Kind::counter, "", "Requests that became a WebSocket."},
      Row{"gnomon_arrivals", Kind::gauge, "", "Connections whose protocol is not known yet."},
      Row{"gnomon_http_connections", Kind::gauge, "", "Connections on which HTTP is spoken."},
      Row{"gnomon_tls_handshakes_total", Kind::counter, "result=\"full\"", handshakes},
      Row{"gnomon_tls_handshakes_total", Kind::counter, "result=\"resumed\"", handshakes},
      Row{"gnomon_tls_handshakes_total", Kind::counter, "result=\"not_tls\"", handshakes},
      Row{"gnomon_tls_handshakes_total", Kind::counter, "result=\"no_agreement\"", handshakes},
      Row{"gnomon_tls_handshakes_total", Kind::counter, "result=\"by_client\"", handshakes},
      Row{"gnomon_tls_handshakes_total", Kind::counter, "result=\"gone\"", handshakes},
      Row{"gnomon_tls_handshakes_total", Kind::counter, "result=\"damaged\"", handshakes},
      Row{"gnomon_tls_handshakes_put_off_total", Kind::counter, "",
          "Steps of handshakes that waited for a later turn of their loop."},
  };
  std::vector<std::uint64_t> values(counts_.begin(), counts_.end());
  const net::HttpServer::Stats& http = http_.stats();
  values.insert(values.end(),
                {http.too_many, http.malformed, http.head_too_large, http.body_too_large, http.idle,
                 http.slow_reader, requests_, websockets_});
  values.push_back(arrivals_.size());
  values.push_back(http_.connections());
  const net::TlsLayer::Stats stats = tls_ ? tls_->stats() : net::TlsLayer::Stats{};
  values.insert(values.end(), {stats.handshakes - stats.resumed, stats.resumed});
  values.insert(values.end(), stats.failed.begin(), stats.failed.end());
  values.push_back(stats.put_off);
  return {rows, std::move(values)};
}

}  // namespace gnomon::server
