// ClientRun: one client on a loop of its own, from connecting to the exit code. What pub and sub
// have in common.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/client_arguments.h"
#include "client/client.h"
#include "runtime/network.h"

namespace gnomon::cli {

// Owner:   the command, on the main thread, which only waits.
// Threads: the handler's calls come on the loop's thread; finish() and fail() belong there too.
class ClientRun : public client::Handler {
 public:
  ClientRun(std::string command, const ClientArguments& arguments);
  virtual ~ClientRun();
  ClientRun(const ClientRun&) = delete;
  ClientRun& operator=(const ClientRun&) = delete;

  // Connects and waits until finish() or fail(); returns the exit code. Meanwhile, when `fd` (-1:
  // none) can be read, calls `on_readable` on the main thread until it returns false.
  int run(int fd, const std::function<bool()>& on_readable);

 protected:
  // Disconnects; the command ends with `code` when all output is written.
  void finish(int code);
  // Says what went wrong, and finishes with exit_failed.
  void fail(const std::string& what);
  void on_closed(const client::Closed& why) override;
  // For --debug: a line on standard error. on_connected() of a command begins with connected().
  void debug(const std::string& what) const;
  void connected(const mqtt::Connack& connack);
  [[nodiscard]] bool debugs() const { return arguments_.debug; }
  [[nodiscard]] const std::string& client_id() const { return client_id_; }
  [[nodiscard]] const ClientArguments& arguments() const { return arguments_; }

  client::Client& client() { return client_; }
  runtime::Loop& loop() { return *loop_; }
  // True once finish() or fail() was called. Any thread.
  [[nodiscard]] bool ending() const { return ending_; }

 private:
  // Looks whether the last output has left.
  class Flushed final : public runtime::Timer {
   public:
    explicit Flushed(ClientRun& run) : run_(run) {}
    void look() { on_timer(); }

   private:
    void on_timer() override;
    ClientRun& run_;
    int looks_ = 0;
  };

  std::string command_;
  const ClientArguments& arguments_;
  std::string client_id_;  // the broker may have given it
  SystemMonotonicClock monotonic_;
  SystemWallClock wall_;
  SystemRandom random_;
  std::unique_ptr<runtime::Network> network_;
  std::unique_ptr<runtime::Loop> loop_;
  mqtt::Settings settings_;
  std::optional<client::Transport> transport_;
  client::Client client_;
  Flushed flushed_{*this};
  int done_fd_;
  int code_ = 0;
  std::atomic<bool> ending_{false};
};

}  // namespace gnomon::cli
