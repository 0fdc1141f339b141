#include "cli/load.h"

#include <algorithm>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "cli/generator.h"

namespace gnomon::cli {

using namespace std::chrono_literals;

namespace {
constexpr Duration stall = 3s;             // without a delivery: messages were lost
constexpr Duration handshake_stall = 10s;  // without a handshake done
constexpr Duration settle = 300ms;         // for the broker to finish its handshake work
constexpr Duration connections_settle = 2s;
}  // namespace

std::string Generator::topic_of(std::uint32_t index) const {
  const std::string number = std::to_string(index);
  switch (options().shape) {
    case Shape::pairs:
      return "device/" + number + "/telemetry";
    case Shape::fanin:
      return "site/" + std::to_string(index % 16) + "/device/" + number + "/telemetry";
    case Shape::fanout:
      return "bench/fanout/all";
    case Shape::connections:
      return "device/" + number + "/command";
  }
  return "";
}

void Generator::make_clients() {
  const LoadOptions& o = options();
  const bool paired = o.shape == Shape::pairs;
  if (!paired && !connections()) reach_ = o.subscribers;
  planned_ = o.rate ? *o.rate * static_cast<std::uint64_t>(o.publish_for.count()) / 1000
                    : o.messages.value_or(0);
  for (std::uint32_t i = 0; i < o.subscribers; ++i) {
    LoadClient& client = clients_.emplace_back(epoll_);
    client.index = i;
    client.topic = o.shape == Shape::fanin ? "site/+/device/+/telemetry" : topic_of(i);
    client.qos = o.qos;
    client.next.resize(paired ? 1 : o.publishers);
  }
  for (std::uint32_t i = 0; i < o.publishers; ++i) {
    LoadClient& client = clients_.emplace_back(epoll_);
    client.publisher = true;
    client.index = i;
    client.topic = topic_of(i);
    client.prepare(o.version, o.qos, o.payload_bytes);
    client.quota = planned_ == 0 ? UINT64_MAX
                                 : planned_ / o.publishers + (i < planned_ % o.publishers ? 1 : 0);
    publishers_.push_back(&client);
  }
}

Result<LoadReport> Generator::run() {
  auto target = Target::from(options().broker);
  if (!target) return target.error();
  target_ = *target;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return Error{Code::unavailable, "epoll cannot be had"};
  prctl(PR_SET_TIMERSLACK, 1UL);  // latency is timed by the publisher's own waking
  if (connections()) report_.options.publishers = 0;
  make_clients();
  if (connections())
    run_connections();
  else
    run_messages();
  if (failure_) return *failure_;
  return std::move(report_);
}

// ---- the measured run

CpuTime Generator::broker_cpu() {
  if (options().pid == 0) return {};
  const auto time = cpu_time(options().pid);
  if (time) return *time;
  if (!failure_) failure_ = time.error();
  return {};
}

void Generator::connect_up_to(std::size_t count) {
  open_limit_ = count;
  const bool done = run_until("connecting", ready_, handshake_stall,
                              [&] { return ready_ == count || report_.closed > 0; });
  if (failure_ || (done && report_.closed == 0)) return;
  failure_ = Error{Code::unavailable, "only " + std::to_string(ready_) + " of " +
                                          std::to_string(count) + " clients could connect"};
}

void Generator::run_messages() {
  connect_up_to(options().subscribers);
  if (!failure_) connect_up_to(clients_.size());
  run_for("connecting", ready_, settle);
  const CpuTime broker_before = broker_cpu(), own_before = own_cpu_time();
  if (failure_) return;

  began_ = now_ = progressed_ = clock_.now();
  publishing_ = true;
  if (!options().rate)
    for (LoadClient* client : publishers_) pump(*client);
  if (planned_ == 0) {
    run_for("publishing", report_.delivered, options().publish_for);
    for (LoadClient* client : publishers_) planned_ += client->quota = client->sent;
  }
  const bool complete = run_until("publishing", report_.delivered, stall, [&] {
    return report_.delivered >= planned_ * reach_ &&
           (options().qos == 0 || acknowledged_ >= planned_);
  });

  report_.broker = broker_cpu() - broker_before;
  report_.generator = own_cpu_time() - own_before;
  report_.took = (complete ? clock_.now() : progressed_) - began_;
  report_.published = planned_;
  report_.expected = planned_ * reach_;
  if (options().qos > 0) report_.unacknowledged = planned_ - std::min(planned_, acknowledged_);
}

void Generator::run_connections() {
  report_.resident_before = resident_bytes(options().pid);
  const CpuTime before = broker_cpu();
  began_ = clock_.now();
  connect_up_to(clients_.size());
  report_.connecting = clock_.now() - began_;
  report_.connect_cpu = broker_cpu() - before;
  run_for("settling", ready_, connections_settle);
  report_.resident_after = resident_bytes(options().pid);
  const CpuTime idle_before = broker_cpu();
  run_for("idle", ready_, options().idle_for);
  report_.idle_cpu = broker_cpu() - idle_before;
}

Result<LoadReport> run_load(const LoadOptions& options, const MonotonicClock& clock,
                            const std::function<void(const LoadProgress&)>& progress) {
  if (options.payload_bytes < sizeof(Stamp))
    return Error{Code::invalid, "a payload has at least 16 bytes"};
  return Generator(options, clock, progress).run();
}

}  // namespace gnomon::cli
