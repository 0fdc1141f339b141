// gnomon serve: makes the real clocks, network and store, and runs the server until a signal.
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "base/log.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/config_arguments.h"
#include "cli/process.h"
#include "server/server.h"
#include "store/memory.h"

namespace gnomon::cli {

namespace {

// Blocked in every thread started from here on; taken one by one with sigwait().
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Errors: unavailable.
Result<void> make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && chmod(path.c_str(), S_IRWXU) != 0) {
    error = std::error_code(errno, std::generic_category());
  }
  if (!error) return {};
  return Error{Code::unavailable, "the data folder " + path + " cannot be had: " + error.message()};
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
      "standard output tells where they are; the log goes to standard error.",
      {"gnomon serve", "gnomon serve --listen-mqtt 127.0.0.1:0 --listen-admin off"});
  ConfigArguments given;
  given.declare(arguments);
  if (const auto code = arguments.read(words)) return *code;
  const server::Loaded loaded = given.load();
  print_mistakes("gnomon serve", loaded.mistakes);
  if (!loaded.mistakes.empty()) return exit_misuse;
  const server::Config& config = loaded.config;

  set_log_level(config.log_level);
  raise_descriptor_limit();
  if (auto made = make_folder(config.data); !made) return fail(made.error());
  sigset_t signals = block_stop_signals();

  SystemMonotonicClock monotonic;
  SystemWallClock wall;
  SystemRandom random;
  const auto network = runtime::make_epoll_network(monotonic, wall);
  const auto store = store::make_memory_store();
  server::Server server(config, {monotonic, wall, random, *network, *store});
  if (auto started = server.start(); !started) return fail(started.error());

  const auto start = std::chrono::duration_cast<std::chrono::milliseconds>(own_age());
  std::cout << server::ready_line(server.listening(), config, getpid(), start.count()) << std::endl;
  log_info("started", {{"version", version()}, {"durability", "memory"}});
  log_warn("nothing_is_kept", {{"why",
                                "durability = memory: what is acknowledged is gone with "
                                "the process"}});
  int signal = 0;
  sigwait(&signals, &signal);
  log_info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  server.stop();
  log_info("stopped");
  return exit_done;
}

}  // namespace gnomon::cli
