// gnomon serve: makes the real clocks, network and store, and runs the server until a signal.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "base/log.h"
#include "base/version.h"
#include "base/wall_guard.h"
#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/notify.h"
#include "cli/process.h"
#include "partition/syncer.h"
#include "runtime/pool.h"
#include "server/material.h"
#include "server/ready_file.h"
#include "server/secrets.h"
#include "server/server.h"
#include "store/folder.h"
#include "store/memory.h"
#include "store/rocks.h"

namespace gnomon::cli {

namespace {

// Blocked in every thread started from here on; taken one by one with sigwait().
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// The smaller of 1 GiB and 5 % of the disk.
std::uint64_t default_reserve(const std::string& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  return error ? GiB : std::min<std::uint64_t>(GiB, space.capacity / 20);
}

Result<std::unique_ptr<store::Store>> open_store(const server::Config& config,
                                                 const MonotonicClock& clock) {
  if (config.durability == server::Durability::memory) return store::make_memory_store();
  store::RocksOptions options;
  options.folder = config.data + "/store";
  options.memory_bytes = config.store_memory_bytes;
  options.reserve_bytes =
      config.disk_reserve_bytes ? *config.disk_reserve_bytes : default_reserve(config.data);
  return store::open_rocks_store(options, clock);
}

// What is not on the disk must not be acknowledged, and what is there is safe: end at once.
void end_broken(const Error& error) {
  log_error("store_broken", {{"what", error.message}, {"then", "the server ends"}});
  std::_Exit(exit_failed);
}

// The tasks of the pool use the server's shards: those that run end before the shards do.
struct EndFirst {
  std::unique_ptr<runtime::Pool>& pool;
  ~EndFirst() { pool.reset(); }
};

// The ready line, where commands on this machine look for it. The server is as good without.
class ReadyFile {
 public:
  ReadyFile(std::string folder, const std::string& line) : folder_(std::move(folder)) {
    if (auto written = server::write_ready_file(folder_, line); !written) {
      log_warn("ready_file_not_written",
               {{"why", written.error().message},
                {"then", "commands on this machine do not find the server by its folder"}});
    }
  }
  ~ReadyFile() { server::remove_ready_file(folder_); }
  ReadyFile(const ReadyFile&) = delete;
  ReadyFile& operator=(const ReadyFile&) = delete;

 private:
  const std::string folder_;
};

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

int fail(const Error& error) {
  std::cerr << "gnomon serve: " << error.message << '\n';
  return exit_failed;
}

}  // namespace

int serve(Words words) {
  Arguments arguments(
      "gnomon serve [--config FILE] [options]",
      "Runs the server until SIGTERM or SIGINT. When every listener is up, one line of JSON on "
      "standard output tells where they are; the log goes to standard error. SIGHUP: certificates, "
      "keys and passwords are read again.",
      {"gnomon serve", "gnomon serve --listen-mqtt 127.0.0.1:0 --listen-admin off"});
  ConfigArguments given;
  given.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;
  const server::Loaded loaded = given.load();
  print_mistakes("gnomon serve", loaded.mistakes);
  if (!loaded.mistakes.empty()) return exit_misuse;
  const server::Config& config = loaded.config;

  set_log_level(config.log_level);
  set_log_format(config.log_format);
  raise_descriptor_limit();
  umask(S_IRWXG | S_IRWXO);  // what is kept is for its owner only
  auto folder = store::Folder::open(config.data);
  if (!folder) return fail(folder.error());
  sigset_t signals = block_signals();

  SystemMonotonicClock monotonic;
  const SystemElapsedClock elapsed;
  const SystemWallClock shown;
  GuardedWallClock wall(elapsed, shown);
  SystemRandom random;
  const auto network = runtime::make_epoll_network(monotonic, wall);
  const std::string host = host_name();
  const auto names = server::server_names(host, config.names);
  if (!names) return fail(names.error());
  const auto make_material = [&] {  // the folder is ours alone now
    return server::make_material((*folder)->path(), *names, shown.now(), random);
  };
  auto secrets = server::make_secrets((*folder)->path(), config.master_key, environment, random);
  if (!secrets) return fail(secrets.error());
  auto store = open_store(config, monotonic);
  if (!store) return fail(store.error());
  // One for reads, one for a backup, which takes long; there is never more than one.
  auto pool = runtime::make_thread_pool(2, "reader");
  auto passwords = runtime::make_thread_pool(1, "password");
  auto calls = runtime::make_thread_pool(2, "call");
  const auto make_syncer = [&](std::vector<runtime::Loop*> loops, server::Ports::OnBroken broken) {
    auto syncer = std::make_unique<partition::ThreadSyncer>(**store, std::move(loops), monotonic,
                                                            std::move(broken));
    syncer->start();
    return syncer;
  };
  const bool on_disk = config.durability == server::Durability::disk;
  if (!on_disk) {  // before anybody is acknowledged anything
    log_warn("nothing_is_kept", {{"why",
                                  "durability = memory: what is acknowledged is gone with "
                                  "the process"}});
  }
  server::Server server(config, {monotonic,
                                 wall,
                                 random,
                                 *network,
                                 **store,
                                 *pool,
                                 *passwords,
                                 *calls,
                                 shown,
                                 make_material,
                                 {host},
                                 make_syncer,
                                 end_broken,
                                 std::move(*secrets)});
  const EndFirst end_reads{pool}, end_passwords{passwords}, end_calls{calls};
  if (auto started = server.start(); !started) return fail(started.error());

  const auto start = std::chrono::duration_cast<std::chrono::milliseconds>(own_age());
  const std::string ready =
      server::ready_line(server.listening(), config, server.root_path(), getpid(), start.count());
  std::optional<ReadyFile> ready_file(std::in_place, (*folder)->path(), ready);
  std::cout << ready << std::endl;
  notify_manager("READY=1");
  log_info("started", {{"version", version()}, {"durability", on_disk ? "disk" : "memory"}});
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) {
    notify_manager(reloading_state(monotonic.now()));
    server.reload([](const Result<void>& result) {
      notify_manager("READY=1\nSTATUS=" + (result ? "" : result.error().message));
    });
  }
  notify_manager("STOPPING=1");
  log_info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  ready_file.reset();
  server.stop();
  log_info("stopped");
  return exit_done;
}

}  // namespace gnomon::cli
