#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "broker/records.h"
#include "broker/shard.h"
#include "metrics/metrics.h"
#include "net/http.h"
#include "server/backup.h"
#include "server/clock_record.h"
#include "server/status.h"

namespace gnomon::server {

namespace {

using broker::Shard;

// CountDown: reaches zero once. Shared by the threads that count and the one that waits.
class CountDown {
 public:
  explicit CountDown(std::size_t count) : left_(count) {}
  void done() {
    const std::lock_guard lock(mutex_);
    if (--left_ == 0) reached_.notify_all();
  }
  // True if zero was reached within `at_most`.
  bool wait(std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    return reached_.wait_for(lock, at_most, [this] { return left_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable reached_;
  std::size_t left_;
};

// Drain: on a shard's loop, looks whether the output of its former connections is taken.
class Drain final : public runtime::Timer {
 public:
  Drain(runtime::Loop& loop, Shard& shard, std::shared_ptr<CountDown> done)
      : loop_(loop), shard_(shard), done_(std::move(done)) {}
  void look() { on_timer(); }

 private:
  void on_timer() override {
    if (shard_.drained() && loop_.closing() == 0) return done_->done();
    constexpr std::chrono::milliseconds period{10};
    loop_.timers().arm(*this, loop_.now() + period);
  }
  runtime::Loop& loop_;
  Shard& shard_;
  std::shared_ptr<CountDown> done_;
};

// Gather: the counters of all shards for one scrape. Each shard's thread writes its own element.
struct Gather {
  std::vector<broker::Counters> counters;
  std::atomic<std::size_t> missing;
  net::HttpServer::Respond respond;
};

}  // namespace

// Members stand in the order they are made; each uses those above it.
struct Server::State {
  State(const Config& given, Ports given_ports) : config(given), ports(std::move(given_ports)) {}

  Config config;
  Ports ports;
  broker::Profile profile;
  std::unique_ptr<runtime::Loop> control;             // accepts, serves the admin listener
  std::vector<std::unique_ptr<runtime::Loop>> loops;  // one per shard
  std::unique_ptr<partition::Syncer> syncer;
  std::vector<std::unique_ptr<Shard>> shards;
  std::unique_ptr<ClockRecord> clock_record;
  std::vector<std::unique_ptr<Drain>> drains;
  std::shared_ptr<CountDown> drained;
  std::unique_ptr<net::HttpServer> admin;
  std::unique_ptr<runtime::Listener> mqtt;
  std::vector<std::vector<broker::Envelope>> adoptions;  // by shard; the control loop's scratch
  Listening listening;
  bool backing_up = false;  // the control loop's
  bool started = false;

  void make_shards(std::uint64_t run);
  Result<std::uint64_t> count_run();
  Result<void> recover();
  Result<void> listen();
  void hand_out(std::span<const runtime::Accepted> accepted);
  void answer(const net::Request& request, net::HttpServer::Respond respond);
  void scrape(net::HttpServer::Respond respond);
  void answer_backup(const net::Request& request, net::HttpServer::Respond respond);
  void begin_stop();
};

void Server::State::make_shards(std::uint64_t run) {
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int count = std::min(config.shards > 0 ? config.shards : cores, limits::shards_max);
  const std::uint64_t seed = ports.random.next();
  control = ports.network.make_loop();
  std::vector<runtime::Loop*> syncing;
  syncing.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    syncing.push_back(loops.emplace_back(ports.network.make_loop()).get());
  }
  syncer = ports.make_syncer(std::move(syncing), ports.on_broken);
  for (int i = 0; i < count; ++i) {
    shards.push_back(
        std::make_unique<Shard>(Shard::Setup{static_cast<broker::ShardId>(i), count, seed, run,
                                             profile, *loops[static_cast<unsigned>(i)], ports.store,
                                             *syncer, ports.pool, ports.random, ports.on_broken}));
  }
  for (auto& shard : shards) shard->join(shards);
  adoptions.resize(shards.size());
}

// Numbers that must never be given out twice begin with the number of the run. With it the time is
// kept from which this run goes on.
Result<std::uint64_t> Server::State::count_run() {
  const std::string key = broker::records::key(broker::records::Table::meta, {}, "run");
  auto stored = ports.store.get(key);
  if (!stored) return stored.error();
  std::uint64_t run = 0;
  if (*stored && !broker::records::read_number(**stored, run)) {
    return Error{Code::unavailable, "the store holds a damaged run number; restore a backup"};
  }
  store::Batch batch;
  batch.operations.emplace_back(store::Put{key, broker::records::write_number(++run)});
  keep_clock(ports.wall, batch);
  if (auto applied = ports.store.apply(batch); !applied) return applied.error();
  if (auto synced = ports.store.sync(); !synced) return synced.error();
  return run;
}

// Each shard reads its own slots, on a thread of its own.
Result<void> Server::State::recover() {
  std::vector<Result<void>> results(shards.size());
  std::vector<std::thread> threads;
  threads.reserve(shards.size());
  for (std::size_t i = 0; i < shards.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = shards[i]->recover(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) {
    if (!result) return result;
  }
  for (auto& shard : shards) shard->bring_members(shards);
  for (auto& shard : shards) shard->introduce(shards);
  for (auto& shard : shards) shard->resume();
  return {};
}

Result<void> Server::State::listen() {
  if (config.listen_mqtt != "off") {
    auto address = runtime::parse_address(config.listen_mqtt);
    if (!address) return address.error();
    auto listener = control->listen(
        *address, [this](std::span<const runtime::Accepted> accepted) { hand_out(accepted); });
    if (!listener) return Error{listener.error().code, "listen.mqtt: " + listener.error().message};
    mqtt = std::move(*listener);
    listening.mqtt = to_string(mqtt->address());
  }
  if (config.listen_admin != "off") {
    auto address = runtime::parse_address(config.listen_admin);
    if (!address) return address.error();
    admin = std::make_unique<net::HttpServer>(
        *control, [this](const net::Request& request, net::HttpServer::Respond respond) {
          answer(request, std::move(respond));
        });
    auto bound = admin->listen(*address);
    if (!bound) return Error{bound.error().code, "listen.admin: " + bound.error().message};
    listening.admin = to_string(*bound);
  }
  return {};
}

// Each new connection goes to the shard with the fewest. Batches: one letter a shard.
void Server::State::hand_out(std::span<const runtime::Accepted> accepted) {
  for (const runtime::Accepted& connection : accepted) {
    const auto least =
        std::min_element(shards.begin(), shards.end(),
                         [](const auto& a, const auto& b) { return a->load() < b->load(); });
    (*least)->load_counter().fetch_add(1, std::memory_order_relaxed);
    adoptions[static_cast<std::size_t>(least - shards.begin())].push_back(
        {0, broker::Adopt{connection}});
  }
  for (std::size_t i = 0; i < shards.size(); ++i) shards[i]->mailbox().push(adoptions[i]);
}

// ---- the admin listener

void Server::State::answer(const net::Request& request, net::HttpServer::Respond respond) {
  const std::string_view path = request.path();
  if (path == "/backup") {
    if (request.method == "POST") return answer_backup(request, std::move(respond));
    return respond({405, {{"Allow", "POST"}}, "only POST\n"});
  }
  const bool known = path == "/healthz" || path == "/metrics";
  if (known && request.method != "GET" && request.method != "HEAD") {
    return respond({405, {{"Allow", "GET, HEAD"}}, "only GET and HEAD\n"});
  }
  if (path == "/healthz") return respond({200, {{"Content-Type", "text/plain"}}, "ok\n"});
  if (path == "/metrics") return scrape(std::move(respond));
  respond({404, {{"Content-Type", "text/plain"}}, "try /metrics, /healthz or POST /backup\n"});
}

void Server::State::scrape(net::HttpServer::Respond respond) {
  auto gather = std::make_shared<Gather>();
  gather->counters.resize(shards.size());
  gather->missing = shards.size();
  gather->respond = std::move(respond);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    loops[i]->post([this, gather, i] {
      gather->counters[i] = shards[i]->sample();
      if (--gather->missing > 0) return;
      control->post([this, gather] {
        std::vector<metrics::Sample> samples{status(config, ports.wall.stats())};
        for (const broker::Counters& counters : gather->counters) {
          samples.push_back(counters.sample());
        }
        gather->respond({200,
                         {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                         metrics::exposition(samples)});
      });
    });
  }
}

// On the pool: it waits for the disk. One at a time: each is as much as the disk can do.
void Server::State::answer_backup(const net::Request& request, net::HttpServer::Respond respond) {
  const auto target = read_backup_request(request, config.data);
  if (!target) return respond(refusal(target.error()));
  if (backing_up) {
    return respond(refusal({Code::conflict, "a backup is being written: try again when it is"}));
  }
  backing_up = true;
  ports.pool.run([this, target = *target, respond = std::move(respond)] {
    const auto done = back_up(ports.store, config.data, target, ports.clock);
    if (done) {
      log_info("backup", {{"written", *done}});
    } else {
      log_warn("backup_refused", {{"to", target}, {"why", done.error().message}});
    }
    control->post([this, done, respond] {
      backing_up = false;
      respond(done ? net::Response{200, {{"Content-Type", "text/plain"}}, *done + "\n"}
                   : refusal(done.error()));
    });
  });
}

// ---- start and stop

Server::Server(const Config& config, Ports ports)
    : state_(std::make_unique<State>(config, std::move(ports))) {
  broker::Profile& profile = state_->profile;
  if (config.compat == Compat::aws) profile = broker::aws_profile();
  profile.local = config.local;
  if (config.session_expiry_max_seconds) {
    profile.session_expiry_max_seconds = *config.session_expiry_max_seconds;
  }
  profile.queue_messages_max = config.session_messages_max;
  profile.queue_bytes_max = config.session_bytes_max;
  profile.will_grace = std::chrono::seconds(config.will_grace_seconds);
}

Server::~Server() { stop(); }

Result<void> Server::start() {
  if (auto resumed = resume_clock(state_->ports.store, state_->ports.wall); !resumed) {
    return resumed;
  }
  const auto run = state_->count_run();
  if (!run) return run.error();
  state_->make_shards(*run);  // its loops look at the clock, so not before
  if (auto recovered = state_->recover(); !recovered) return recovered;
  if (auto listened = state_->listen(); !listened) return listened;
  state_->clock_record =
      std::make_unique<ClockRecord>(state_->ports.wall, state_->ports.store, *state_->syncer,
                                    *state_->control, state_->ports.on_broken);
  for (std::size_t i = 0; i < state_->loops.size(); ++i) {
    state_->loops[i]->start("shard-" + std::to_string(i));
  }
  state_->control->start("control");
  state_->started = true;
  return {};
}

void Server::State::begin_stop() {
  drained = std::make_shared<CountDown>(shards.size());
  control->post([this] { mqtt.reset(); });
  for (std::size_t i = 0; i < shards.size(); ++i) {
    drains.push_back(std::make_unique<Drain>(*loops[i], *shards[i], drained));
    loops[i]->post([shard = shards[i].get(), drain = drains.back().get()] {
      shard->shut_down();
      drain->look();
    });
  }
}

void Server::begin_stop() {
  if (state_->started && !state_->drained) state_->begin_stop();
}

void Server::stop() {
  if (!state_->started) return;
  begin_stop();
  state_->drained->wait(std::chrono::milliseconds(state_->config.drain_ms));
  for (auto& loop : state_->loops) loop->stop();
  state_->control->stop();
  state_->clock_record->write();
  state_->syncer.reset();  // syncs what the last turns have written
  state_->started = false;
}

const Server::Listening& Server::listening() const { return state_->listening; }

// ---- the ready line

namespace {

// JSON string, or null.
std::string json_text(const std::optional<std::string>& text) {
  if (!text) return "null";
  std::string out = "\"";
  for (const char c : *text) {
    constexpr char hex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string ready_line(const Server::Listening& listening, const Config& config,
                       const std::string& root_path, int pid, std::int64_t start_ms) {
  return "{\"event\":\"ready\",\"mqtt\":" + json_text(listening.mqtt) +
         ",\"mqtts\":null,\"https\":null,\"http\":null,\"admin\":" + json_text(listening.admin) +
         ",\"ca\":" + json_text(root_path) + ",\"data\":" + json_text(config.data) +
         ",\"pid\":" + std::to_string(pid) + ",\"start_ms\":" + std::to_string(start_ms) + "}";
}

}  // namespace gnomon::server
