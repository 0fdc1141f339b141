#include "server/server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/log.h"
#include "broker/records.h"
#include "broker/shard.h"
#include "crypto/seal.h"
#include "iam/entities.h"
#include "identity/devices.h"
#include "identity/first_start.h"
#include "provisioning/arrivals.h"
#include "registry/folder.h"
#include "server/admin.h"
#include "server/authentication.h"
#include "server/calls.h"
#include "server/claims.h"
#include "server/clock_record.h"
#include "server/connections.h"
#include "server/effects.h"
#include "server/front.h"
#include "server/indexing.h"
#include "server/keyring.h"
#include "server/left_certificates.h"
#include "server/provisioning_roles.h"
#include "server/publishing.h"
#include "server/services.h"
#include "server/shadows.h"
#include "server/sys_tree.h"

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

}  // namespace

// Members stand in the order they are made; each uses those above it.
struct Server::State {
  State(const Config& given, Ports given_ports) : config(given), ports(std::move(given_ports)) {}

  Config config;
  Ports ports;
  broker::Profile profile;
  std::optional<crypto::Authority> device_authority;
  std::optional<registry::Registry> registry;
  std::optional<crypto::Sealer> sealer;
  std::unique_ptr<iam::Iam> iam;
  std::unique_ptr<ProvisioningRoles> roles;
  std::optional<provisioning::Provisioning> provisioning;
  std::unique_ptr<identity::Devices> devices;
  std::unique_ptr<Authentication> authentication;
  std::unique_ptr<Claims> claims;
  std::optional<Services> services;                   // of reserved topics
  std::unique_ptr<runtime::Loop> control;             // accepts, serves the admin listener
  std::vector<std::unique_ptr<runtime::Loop>> loops;  // one per shard
  std::unique_ptr<partition::Syncer> syncer;
  std::vector<std::unique_ptr<Shard>> shards;
  std::unique_ptr<Effects> effects;
  std::optional<Publishing> publishing;
  std::optional<Connections> connections;
  std::unique_ptr<Calls> calls;
  std::unique_ptr<Indexing> indexing;
  std::unique_ptr<Shadows>
      shadows;  // holds calls that are not answered, and what indexing waits for
  std::unique_ptr<Keyring> keyring;
  FrontSettings front_settings;
  std::vector<std::unique_ptr<Front>> fronts;  // by shard
  std::unique_ptr<ClockRecord> clock_record;
  std::vector<std::unique_ptr<Drain>> drains;
  std::shared_ptr<CountDown> drained;
  std::unique_ptr<Admin> admin;
  std::unique_ptr<SysTree> sys_tree;  // null: off
  std::vector<std::unique_ptr<runtime::Listener>> listeners;
  std::vector<std::vector<runtime::Accepted>> adoptions;  // by shard; the control loop's scratch
  Listening listening;
  bool started = false;

  Result<void> make_registry();
  identity::Offline offline();
  void settle_left();
  void check_master_key();
  void make_shards(std::uint64_t run);
  Result<std::uint64_t> count_run();
  Result<void> recover();
  Result<void> make_fronts();
  Result<std::string> listen(Door door, const std::string& address);
  Result<void> listen();
  void hand_out(Door door, std::span<const runtime::Accepted> accepted);
  Result<void> start();
  void begin_stop();
};

// What knows devices and their policies, in the store that is open. The authority that signs for
// the registry is the one that is in the folder now.
Result<void> Server::State::make_registry() {
  if (auto stamped = registry::stamp(ports.store, config.account, config.region); !stamped)
    return stamped;
  auto material = ports.make_material();
  if (!material) return material.error();
  const bool whole = material->device_ca_key.has_value();
  if (!whole)
    log_warn("device_ca_key_missing", {{"then", "the registry can make no certificates"}});
  device_authority.emplace(
      crypto::Authority{material->device_ca,
                        whole ? *material->device_ca_key : crypto::PrivateKey::generate_ec_p256()});
  registry.emplace(registry::Registry{ports.store, ports.shown, ports.random, *device_authority,
                                      config.account, config.region});
  sealer.emplace(ports.secrets.master_key);
  iam = std::make_unique<iam::Iam>(
      iam::Iam{ports.store, ports.shown, ports.random, *sealer, config.account,
               iam::RootKey{ports.secrets.access_key_id, ports.secrets.secret}});
  roles = std::make_unique<ProvisioningRoles>(*iam);
  provisioning.emplace(provisioning::Provisioning{*registry, *sealer, *roles});
  if (auto made = identity::make_policies(*registry); !made)
    return Error{Code::unavailable, made.error().message};
  devices = std::make_unique<identity::Devices>(identity::Devices::Setup{
      *registry, ports.clock, ports.shown, offline(),
      [this](identity::Change change) {
        effects->when_durable(change.sequence, std::move(change.effects), std::move(change.then));
      },
      [this](const crypto::Certificate& certificate, const registry::CaCertificateDescription& ca) {
        return provisioning::provision_arrival(*provisioning, certificate, ca);
      }});
  authentication = std::make_unique<Authentication>(
      Authentication::Setup{ports.shown, ports.pool, ports.passwords, ports.random, *devices, *iam,
                            registry::arn(*registry, "")});
  claims = std::make_unique<Claims>(Claims::Setup{
      *provisioning, ports.calls,
      [this](store::Sequence sequence, registry::Effects what, std::function<void()> then) {
        effects->when_durable(sequence, std::move(what), std::move(then));
      }});
  services.emplace(*claims);
  return {};
}

// A store in memory forgets what is registered, so the files stay for the next start.
identity::Offline Server::State::offline() {
  const std::string folder = config.data;
  if (config.durability == Durability::memory) {
    const auto taken = std::make_shared<Guarded<std::unordered_set<std::string>>>();
    return {[folder, taken](const std::string& id) {
              return !taken->with([&](const auto& all) { return all.contains(id); }) &&
                     is_left(folder, id);
            },
            [taken](const std::string& id) { taken->with([&](auto& all) { all.insert(id); }); }};
  }
  return {[folder](const std::string& id) { return is_left(folder, id); },
          [folder, &pool = ports.pool](const std::string& id) {
            pool.run([folder, id] {
              if (auto done = take_left(folder, id); !done)
                log_error("certificate_left", {{"what", done.error().message}});
            });
          }};
}

// A server that ended between the two has registered what is left: whoever deletes it from the
// registry is not to see it come again.
void Server::State::settle_left() {
  ports.pool.run([this] {
    for (const std::string& id : left_certificates(config.data)) devices->settle(id);
  });
}

// Where master.key was lost or exchanged, the start goes on with another one: nothing else is lost
// by it, but who has a key from before should not have to find out by a refusal.
void Server::State::check_master_key() {
  ports.pool.run([this] {
    const auto count = iam::count_unreadable_keys(*iam);
    if (!count || *count == 0) return;
    log_error("access_keys_unreadable",
              {{"keys", std::to_string(*count)},
               {"what", "their secrets were sealed under another master.key"},
               {"then",
                "put that file back and start again, or delete these keys of users and make "
                "new ones"}});
  });
}

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
    shards.push_back(std::make_unique<Shard>(
        Shard::Setup{static_cast<broker::ShardId>(i), count, seed, run, profile,
                     *loops[static_cast<unsigned>(i)], ports.store, *syncer, ports.pool,
                     ports.random, *authentication, ports.on_broken, &*services}));
  }
  for (auto& shard : shards) shard->join(shards);
  shadows = std::make_unique<Shadows>(
      Shadows::Setup{loops,
                     shards,
                     ports.store,
                     *syncer,
                     ports.pool,
                     ports.on_broken,
                     {limits::shadow_request_bytes, config.shadow_state_bytes,
                      static_cast<int>(config.shadow_depth)}});
  services->set_shadows(*shadows);
  indexing = std::make_unique<Indexing>(
      Indexing::Setup{*registry, ports.store, *control, ports.pool, *shadows,
                      [](const std::shared_ptr<const index::Configuration>&,
                         const std::function<void()>& then) { then(); },
                      [](const std::function<void()>& then) { then(); }});
  publishing.emplace(Publishing::Setup{loops, shards, profile});
  connections.emplace(loops, shards);
  adoptions.resize(shards.size());
  effects =
      std::make_unique<Effects>(Effects::Setup{*control, loops, shards, ports.store, *syncer,
                                               *authentication, [this] { indexing->changed(); }});
  calls = std::make_unique<Calls>(Calls::Setup{
      *registry, *iam, *provisioning, *devices, *shadows, *publishing, *connections,
      config.endpoint_domain, ports.random, ports.shown, ports.clock, ports.calls, *effects});
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

// Whose certificate is shown, and what may be asked for by which name.
Result<void> Server::State::make_fronts() {
  keyring = std::make_unique<Keyring>(Keyring::Setup{config, ports.make_material, ports.shown,
                                                     *control, ports.pool, *authentication});
  if (auto loaded = keyring->load(); !loaded) return loaded;
  front_settings.behind_proxy = config.behind_proxy;
  for (const std::string& range : config.proxy_trusted) {
    front_settings.trusted.push_back(*net::AddressRange::parse(range));
  }
  net::KnownHosts& hosts = front_settings.hosts;
  hosts.listener = "0.0.0.0";  // an address in Host tells nothing of who has asked for it
  hosts.names = ports.host_names;
  hosts.names.insert(hosts.names.end(), config.names.begin(), config.names.end());
  hosts.names.insert(hosts.names.end(), config.hosts.begin(), config.hosts.end());
  hosts.origins = config.origins;
  front_settings.connect_timeout = std::chrono::seconds(config.connect_timeout_seconds);
  front_settings.http_idle = std::chrono::seconds(config.http_idle_seconds);
  front_settings.root_pem = keyring->root_pem();
  front_settings.calls = calls.get();
  front_settings.authentication = authentication.get();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    fronts.push_back(
        std::make_unique<Front>(*loops[i], *shards[i], front_settings, keyring->tls()));
  }
  return {};
}

Result<std::string> Server::State::listen(Door door, const std::string& address) {
  static constexpr std::array keys{"listen.mqtt", "listen.mqtts", "listen.https", "listen.http"};
  auto listener = control->listen(
      *runtime::parse_address(address),
      [this, door](std::span<const runtime::Accepted> accepted) { hand_out(door, accepted); });
  if (!listener) {
    return Error{listener.error().code,
                 keys[static_cast<std::size_t>(door)] + (": " + listener.error().message)};
  }
  listeners.push_back(std::move(*listener));
  return to_string(listeners.back()->address());
}

Result<void> Server::State::listen() {
  const auto one = [this](Door door, const std::string& address,
                          std::optional<std::string>& bound) -> Result<void> {
    if (address == "off") return {};
    auto where = listen(door, address);
    if (!where) return where.error();
    bound = std::move(*where);
    return {};
  };
  if (auto done = one(Door::mqtt, config.listen_mqtt, listening.mqtt); !done) return done;
  if (auto done = one(Door::mqtts, config.listen_mqtts, listening.mqtts); !done) return done;
  for (const std::string& address : config.listen_https) {
    auto bound = listen(Door::https, address);
    if (!bound) return bound.error();
    listening.https.push_back(std::move(*bound));
  }
  if (auto done = one(Door::http, config.listen_http, listening.http); !done) return done;
  if (config.listen_admin != "off") {
    auto bound = admin->listen();
    if (!bound) return bound.error();
    listening.admin = *bound;
  }
  return {};
}

// Each new connection goes to the shard with the fewest. Batches: one letter a shard. Before the
// shards are there nobody is let in.
void Server::State::hand_out(Door door, std::span<const runtime::Accepted> accepted) {
  if (admin->starting()) {
    for (const runtime::Accepted& connection : accepted) {
      admin->count_refused_early();
      control->discard(connection);
    }
    return;
  }
  for (const runtime::Accepted& connection : accepted) {
    const auto least =
        std::min_element(shards.begin(), shards.end(),
                         [](const auto& a, const auto& b) { return a->load() < b->load(); });
    (*least)->load_counter().fetch_add(1, std::memory_order_relaxed);
    adoptions[static_cast<std::size_t>(least - shards.begin())].push_back(connection);
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (adoptions[i].empty()) continue;
    loops[i]->post([front = fronts[i].get(), door, batch = std::exchange(adoptions[i], {})] {
      for (const runtime::Accepted& connection : batch) front->adopt(door, connection);
    });
  }
}

// ---- start and stop

Server::Server(const Config& config, Ports ports)
    : state_(std::make_unique<State>(config, std::move(ports))) {
  broker::Profile& profile = state_->profile;
  if (config.compat == Compat::aws) profile = broker::aws_profile();
  if (config.session_expiry_max_seconds) {
    profile.session_expiry_max_seconds = *config.session_expiry_max_seconds;
  }
  profile.held_bytes_max = config.held_bytes_max;
  profile.queue_messages_max = config.session_messages_max;
  profile.queue_bytes_max = config.session_bytes_max;
  profile.connect_timeout = std::chrono::seconds(config.connect_timeout_seconds);
  profile.will_grace = std::chrono::seconds(config.will_grace_seconds);
}

Server::~Server() { stop(); }

// The listeners are there first, so that one that cannot be had is told before all is read, and
// /readyz says meanwhile what the server does.
Result<void> Server::State::start() {
  if (auto resumed = resume_clock(ports.store, ports.wall); !resumed) return resumed;
  const auto run = count_run();
  if (!run) return run.error();
  if (auto made = make_registry(); !made) return made;
  make_shards(*run);  // its loops look at the clock, so not before
  if (auto made = make_fronts(); !made) return made;
  admin = std::make_unique<Admin>(AdminView{config, ports, *control, loops, shards, fronts, *calls,
                                            *claims, *shadows, *indexing, *syncer});
  if (auto listened = listen(); !listened) return listened;
  if (auto begun = indexing->begin(ports.wall.now()); !begun) return begun;
  clock_record =
      std::make_unique<ClockRecord>(ports.wall, ports.store, *syncer, *control, ports.on_broken);
  keyring->watch(
      [this](const std::shared_ptr<const net::TlsConfig>& tls) {
        for (std::size_t i = 0; i < fronts.size(); ++i) {
          loops[i]->post([front = fronts[i].get(), tls] { front->use(tls); });
        }
      },
      [this](const std::shared_ptr<const broker::Principals>& changed) {
        effects->recheck(changed);
      });
  control->start("control");
  if (auto recovered = recover(); !recovered) {
    control->stop();
    return recovered;
  }
  if (config.sys_interval_seconds > 0 && config.compat == Compat::mqtt) {
    sys_tree = std::make_unique<SysTree>(std::chrono::seconds(config.sys_interval_seconds),
                                         *control, loops, shards);
  }
  for (std::size_t i = 0; i < loops.size(); ++i) loops[i]->start("shard-" + std::to_string(i));
  if (sys_tree) control->post([this] { sys_tree->begin(); });
  settle_left();
  check_master_key();
  admin->begin();
  started = true;
  return {};
}

Result<void> Server::start() { return state_->start(); }

void Server::State::begin_stop() {
  admin->end();
  drained = std::make_shared<CountDown>(shards.size());
  control->post([this] { listeners.clear(); });
  for (std::size_t i = 0; i < shards.size(); ++i) {
    drains.push_back(std::make_unique<Drain>(*loops[i], *shards[i], drained));
    loops[i]->post([front = fronts[i].get(), shard = shards[i].get(), drain = drains.back().get()] {
      front->stop();
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

void Server::reload(std::function<void(const Result<void>&)> done) {
  state_->keyring->reload(std::move(done));
}

const Server::Listening& Server::listening() const { return state_->listening; }
const std::string& Server::root_path() const { return state_->keyring->root_path(); }

// ---- the ready line

namespace {

std::string text_or_null(const std::optional<std::string>& text) {
  return text ? json_text(*text) : "null";
}

std::string one_or_many(const std::vector<std::string>& texts) {
  if (texts.empty()) return "null";
  if (texts.size() == 1) return json_text(texts.front());
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "[" : ",") + json_text(text);
  return all + "]";
}

}  // namespace

std::string ready_line(const Server::Listening& listening, const Config& config,
                       const std::string& root_path, int pid, std::int64_t start_ms) {
  return "{\"event\":\"ready\",\"mqtt\":" + text_or_null(listening.mqtt) +
         ",\"mqtts\":" + text_or_null(listening.mqtts) +
         ",\"https\":" + one_or_many(listening.https) +
         ",\"http\":" + text_or_null(listening.http) +
         ",\"admin\":" + text_or_null(listening.admin) + ",\"ca\":" + json_text(root_path) +
         ",\"data\":" + json_text(config.data) + ",\"account\":" + json_text(config.account) +
         ",\"region\":" + json_text(config.region) + ",\"pid\":" + std::to_string(pid) +
         ",\"start_ms\":" + std::to_string(start_ms) + "}";
}

}  // namespace gnomon::server
