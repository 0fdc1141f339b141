#include "cli/client_run.h"

#include <array>
#include <cerrno>
#include <iostream>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace gnomon::cli {

ClientRun::ClientRun(std::string command, const ClientArguments& arguments)
    : command_(std::move(command)),
      arguments_(arguments),
      client_id_(arguments.client_id),
      network_(runtime::make_epoll_network(monotonic_, wall_)),
      loop_(network_->make_loop()),
      settings_(arguments.settings()),
      client_(*loop_, *this, settings_),
      done_fd_(eventfd(0, EFD_CLOEXEC)) {
  if (done_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

ClientRun::~ClientRun() {
  loop_->stop();
  ::close(done_fd_);
}

int ClientRun::run(int fd, const std::function<bool()>& on_readable) {
  auto endpoint = arguments_.endpoint();
  if (!endpoint) {
    if (!arguments_.quiet) std::cerr << command_ << ": " << endpoint.error().message << '\n';
    return exit_failed;
  }
  transport_.emplace(*loop_, random_, std::move(*endpoint));
  loop_->post([this] {
    debug("CONNECT to " + transport_->endpoint().describe());
    client_.connect(*transport_, arguments_.connect());
  });
  loop_->start("client");
  std::array<pollfd, 2> wait{{{done_fd_, POLLIN, 0}, {fd, POLLIN, 0}}};
  while (wait[0].revents == 0) {
    if (poll(wait.data(), wait.size(), -1) < 0 && errno != EINTR) break;
    if (wait[1].revents != 0 && !on_readable()) wait[1].fd = -1;
  }
  loop_->stop();
  return code_;
}

void ClientRun::finish(int code) {
  if (ending_) return;
  ending_ = true;
  code_ = code;
  if (client_.connected()) debug("DISCONNECT");
  client_.disconnect(arguments_.disconnect());
  flushed_.look();
}

void ClientRun::fail(const std::string& what) {
  if (!ending_ && !arguments_.quiet) std::cerr << command_ << ": " << what << '\n';
  finish(exit_failed);
}

void ClientRun::debug(const std::string& what) const {
  if (arguments_.debug) std::cerr << command_ << ": " << what << '\n';
}

void ClientRun::connected(const mqtt::Connack& connack) {
  if (!connack.assigned_client_id.empty()) client_id_ = connack.assigned_client_id;
  debug("CONNACK, client id \"" + client_id_ +
        (connack.session_present ? "\", session resumed" : "\", new session"));
}

void ClientRun::on_closed(const client::Closed& why) { fail(arguments_.tls.explain(why)); }

void ClientRun::Flushed::on_timer() {
  constexpr int looks_max = 400;
  constexpr std::chrono::milliseconds period{5};
  if (run_.loop_->closing() > 0 && ++looks_ < looks_max) {
    run_.loop_->timers().arm(*this, run_.loop_->now() + period);
    return;
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(run_.done_fd_, &one, sizeof one);
}

}  // namespace gnomon::cli
