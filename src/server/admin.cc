#include "server/admin.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "metrics/metrics.h"
#include "server/admin_request.h"
#include "server/backup.h"
#include "server/process_status.h"
#include "server/status.h"

namespace gnomon::server {

namespace {

std::vector<runtime::Loop*> pointers(const std::vector<std::unique_ptr<runtime::Loop>>& loops) {
  std::vector<runtime::Loop*> all;
  all.reserve(loops.size());
  for (const auto& loop : loops) all.push_back(loop.get());
  return all;
}

net::Response text(int status, std::string body) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(body)};
}

// Gather: the counters of all shards for one scrape. Each shard's thread writes its own element.
struct Gather {
  std::vector<broker::Counters> counters;
  std::vector<metrics::Sample> fronts, shadows;
  std::atomic<std::size_t> missing;
  net::HttpServer::Respond respond;
};

}  // namespace

// One row an operation. GET stands for HEAD too; behind a path that ends with / there is a name.
struct Admin::Route {
  std::string_view method, path;
  [[nodiscard]] bool serves(std::string_view asked) const {
    return path.ends_with('/') ? asked.size() > path.size() && asked.starts_with(path)
                               : asked == path;
  }
  void (Admin::*serve)(const net::Request&, const Respond&);
  bool early = false;  // also before the server is ready
};

Admin::Admin(const AdminView& view)
    : view_(view),
      started_(view.ports.wall.now()),
      readiness_(view.control, pointers(view.loops), view.ports.store),
      http_(view.control, [this](const net::Request& request, const Respond& respond) {
        answer(request, respond);
      }) {}

Result<std::string> Admin::listen() {
  auto address = runtime::parse_address(view_.config.listen_admin);
  if (!address) return address.error();
  auto bound = http_.listen(*address);
  if (!bound) return Error{bound.error().code, "listen.admin: " + bound.error().message};
  return to_string(*bound);
}

void Admin::answer(const net::Request& request, const Respond& respond) {
  static constexpr std::array routes{
      Route{"GET", "/healthz", &Admin::healthz, true},
      Route{"GET", "/readyz", &Admin::readyz, true},
      Route{"GET", "/metrics", &Admin::metrics},
      Route{"POST", "/backup", &Admin::backup},
      Route{"GET", "/clients", &Admin::clients},
      Route{"GET", "/clients/", &Admin::client},
      Route{"DELETE", "/clients/", &Admin::kick},
      Route{"GET", "/subscriptions", &Admin::subscriptions},
      Route{"GET", "/retained", &Admin::retained},
      Route{"POST", "/traces", &Admin::begin_trace},
      Route{"GET", "/traces/", &Admin::trace},
      Route{"DELETE", "/traces/", &Admin::delete_trace},
  };
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed;
  for (const Route& route : routes) {
    if (!route.serves(request.path())) continue;
    if (route.method != method) {
      (allowed += allowed.empty() ? "" : ", ") +=
          route.method == "GET" ? "GET, HEAD" : route.method;
      continue;
    }
    if (readiness_.starting() && !route.early) return respond(text(503, "starting\n"));
    return (this->*route.serve)(request, respond);
  }
  if (!allowed.empty()) return respond({405, {{"Allow", allowed}}, "only " + allowed + "\n"});
  std::string known = "try";
  for (const Route& route : routes) {
    (known += known == "try" ? " " : ", ") += std::string(route.method) + ' ';
    (known += route.path) += route.path.ends_with('/') ? "ID" : "";
  }
  respond(text(404, known + '\n'));
}

void Admin::healthz(const net::Request&, const Respond& respond) { respond(text(200, "ok\n")); }

void Admin::readyz(const net::Request&, const Respond& respond) {
  readiness_.ask([respond](const std::string& reason) {
    respond(reason.empty() ? text(200, "ok\n") : text(503, reason + '\n'));
  });
}

void Admin::metrics(const net::Request&, const Respond& respond) {
  auto gather = std::make_shared<Gather>();
  gather->counters.resize(view_.shards.size());
  gather->fronts.resize(view_.shards.size());
  gather->shadows.resize(view_.shards.size());
  gather->missing = view_.shards.size();
  gather->respond = respond;
  for (std::size_t i = 0; i < view_.shards.size(); ++i) {
    view_.loops[i]->post([this, gather, i] {
      gather->counters[i] = view_.shards[i]->sample();
      gather->fronts[i] = view_.fronts[i]->sample();
      gather->shadows[i] = view_.shadows.sample(i);
      if (--gather->missing > 0) return;
      view_.control.post([this, gather] {
        broker::Counters early;
        early.set(broker::Count::connect_refused_starting, refused_early_.load());
        std::vector<metrics::Sample> samples{
            status(view_.config, view_.ports.wall.stats(), view_.syncer.stats(),
                   view_.control.stats().accept_failures),
            process_status(started_),
            early.sample(),
            view_.calls.sample(),
            view_.claims.sample(),
            view_.indexing.sample()};
        for (const broker::Counters& counters : gather->counters) {
          samples.push_back(counters.sample());
        }
        samples.insert(samples.end(), gather->fronts.begin(), gather->fronts.end());
        samples.insert(samples.end(), gather->shadows.begin(), gather->shadows.end());
        gather->respond({200,
                         {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                         metrics::exposition(samples)});
      });
    });
  }
}

// On the pool: it waits for the disk. One at a time: each is as much as the disk can do.
void Admin::backup(const net::Request& request, const Respond& respond) {
  const auto target = read_backup_request(request, view_.config.data);
  if (!target) return respond(refusal(target.error()));
  if (backing_up_) {
    return respond(refusal({Code::conflict, "a backup is being written: try again when it is"}));
  }
  backing_up_ = true;
  view_.ports.pool.run([this, target = *target, respond] {
    const auto done = back_up(view_.ports.store, view_.config.data, target, view_.ports.clock);
    if (done) {
      log_info("backup", {{"written", *done}});
    } else {
      log_warn("backup_refused", {{"to", target}, {"why", done.error().message}});
    }
    view_.control.post([this, done, respond] {
      backing_up_ = false;
      respond(done ? text(200, *done + "\n") : refusal(done.error()));
    });
  });
}

}  // namespace gnomon::server
