#include "cli/load.h"

#include <algorithm>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "cli/generator.h"

namespace gnomon::cli {

using namespace std::chrono_literals;

namespace {
constexpr Duration handshake_stall = 10s;  // without a handshake done
constexpr Duration settle = 300ms;         // for the broker to finish its handshake work
constexpr Duration connections_settle = 2s;
}  // namespace

// ---- who publishes to whom

// With a fixed width where a publisher writes one number after the other into its packet.
std::string Generator::number_of(std::uint32_t index) const {
  if (topics_of(0) == 1) return std::to_string(index);
  std::string number(topic_digits, '0');
  write_number(number.data(), index);
  return number;
}

std::string Generator::topic_of(std::uint32_t index) const {
  const std::string number = number_of(index);
  switch (options().shape) {
    case Shape::pairs:
      return "device/" + number + "/telemetry";
    case Shape::fanin:
      return "site/" + std::to_string(index % 16) + "/device/" + number + "/telemetry";
    case Shape::fanout:
      return "bench/fanout/all";
    case Shape::connections:
    case Shape::connects:
      return "device/" + number + "/command";
    case Shape::mesh:
      return "bench/" + std::to_string(getpid()) + "/mesh/" + number;
    case Shape::shadows:
      return "$aws/things/bench-" + number + "/shadow/update";
    case Shape::shadow_gets:
      return "$aws/things/bench-" + number + "/shadow/get";
    case Shape::retained:
      // What an earlier run has left is not counted.
      return "bench/" + std::to_string(getpid()) + "/device/" + number + "/status";
  }
  return "";
}

std::string Generator::filter_of(std::uint32_t index) const {
  if (options().shape == Shape::fanin) return "site/+/device/+/telemetry";
  if (options().shape == Shape::retained) return "bench/" + std::to_string(getpid()) + "/#";
  return topic_of(index);
}

// What is planned, split evenly.
std::uint64_t Generator::quota_of(std::uint32_t publisher) const {
  const std::uint64_t publishers = options().publishers;
  return planned_ / publishers + (publisher < planned_ % publishers ? 1 : 0);
}

// On how many topics it publishes: those numbered publisher, publisher + publishers, …
std::uint32_t Generator::topics_of(std::uint32_t publisher) const {
  const LoadOptions& o = options();
  if (o.shape == Shape::retained) return static_cast<std::uint32_t>(quota_of(publisher));
  if (o.shape != Shape::pairs) return 1;
  return (o.subscribers - publisher + o.publishers - 1) / o.publishers;
}

LoadClient& Generator::make_client(std::uint32_t index) {
  LoadClient& client = clients_.emplace_back(epoll_, options());
  client.index = index;
  client.source = index / sources_each;
  return client;
}

void Generator::make_subscriber(std::uint32_t index) {
  const LoadOptions& o = options();
  LoadClient& client = make_client(index);
  client.filters = {filter_of(index)};
  client.qos = o.qos;
  client.persistent = o.persistent;
  client.leaves = o.presence == Presence::away || o.presence == Presence::back;
  client.greeting =
      o.presence == Presence::behind ? LoadClient::Greeting::ask : LoadClient::Greeting::subscribe;
  if (o.shape == Shape::retained) {
    client.seen.resize(planned_);
  } else if (o.shape == Shape::pairs) {
    client.next = {index / o.publishers};
    client.step = topics_of(index % o.publishers);
  } else {
    client.next.resize(o.publishers);
  }
}

void Generator::make_publisher(std::uint32_t index) {
  const LoadOptions& o = options();
  LoadClient& client = make_client(index);
  client.publisher = true;
  client.persistent = o.persistent_publishers;
  client.topic = topic_of(index);
  client.number_at = client.topic.find(number_of(index));
  client.topics = topics_of(index);
  client.stride = o.publishers;
  // What is retained is acknowledged, or nobody would know when it is.
  const bool retain = o.shape == Shape::retained;
  client.prepare(retain ? std::max<std::uint8_t>(o.qos, 1) : o.qos, retain);
  client.quota = planned_ == 0 ? UINT64_MAX : quota_of(index);
  publishers_.push_back(&client);
}

void Generator::make_clients() {
  LoadOptions& o = report_.options;
  planned_ = o.rate ? *o.rate * static_cast<std::uint64_t>(o.publish_for.count()) / 1000
                    : o.messages.value_or(0);
  if (o.shape == Shape::connects) return make_connecting();
  if (o.shape == Shape::mesh) return make_mesh();
  if (shadows()) return make_shadows();
  if (connections()) o.publishers = 0;
  if (o.shape == Shape::pairs) o.publishers = std::min(o.publishers, o.subscribers);
  if (o.shape != Shape::pairs && !connections()) reach_ = o.subscribers;
  if (o.presence != Presence::there) o.window = UINT64_MAX;
  for (std::uint32_t i = 0; i < o.subscribers; ++i) make_subscriber(i);
  for (std::uint32_t i = 0; i < o.publishers; ++i) make_publisher(i);
}

Result<LoadReport> Generator::run() {
  auto target = Target::from(options().broker);
  if (!target) return target.error();
  target_ = *target;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return Error{Code::unavailable, "epoll cannot be had"};
  prctl(PR_SET_TIMERSLACK, 1UL);  // latency is timed by the publisher's own waking
  make_clients();
  switch (options().shape) {
    case Shape::connections:
      run_connections();
      break;
    case Shape::connects:
      run_connects();
      break;
    case Shape::mesh:
      run_mesh();
      break;
    case Shape::shadows:
    case Shape::shadow_gets:
      run_shadows();
      break;
    default:
      run_messages();
  }
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

void Generator::connect(std::size_t from, std::size_t to) {
  const std::uint64_t already = ready_, wanted = ready_ + (to - from);
  std::uint64_t gone = left_;
  for (std::size_t i = from; i < to; ++i) gone += clients_[i].leaves ? 1 : 0;
  opened_ = from;
  open_limit_ = to;
  const bool done = run_until("connecting", ready_, handshake_stall, [&] {
    return (ready_ == wanted && left_ == gone) || report_.closed > 0;
  });
  if (failure_ || (done && report_.closed == 0)) return;
  failure_ = Error{Code::unavailable, "only " + std::to_string(ready_ - already) + " of " +
                                          std::to_string(to - from) + " clients could connect"};
}

void Generator::begin() {
  broker_began_ = broker_cpu();
  own_began_ = own_cpu_time();
  began_ = now_ = progressed_ = clock_.now();
}

Spent Generator::end(Instant until) {
  return {until - began_, broker_cpu() - broker_began_, own_cpu_time() - own_began_};
}

void Generator::run_messages() {
  const std::size_t subscribers = options().subscribers;
  if (options().presence != Presence::behind) connect(0, subscribers);
  if (!failure_) connect(subscribers, clients_.size());
  run_for("connecting", ready_, settle);
  if (failure_) return;
  if (options().connected) options().connected();
  if (options().presence == Presence::there) {
    publish();
  } else {
    store();
    if (options().presence == Presence::away || failure_) return;
    receive();
  }
  if (options().persistent && report_.complete()) discard();
}

// Publishes to those who are there.
void Generator::publish() {
  begin();
  publishing_ = true;
  if (!options().rate)
    for (LoadClient* client : publishers_) pump(*client);
  if (planned_ == 0) {
    run_for("publishing", report_.delivered, options().publish_for);
    for (LoadClient* client : publishers_) planned_ += client->quota = client->sent;
  }
  const bool complete = run_until("publishing", report_.delivered, delivery_stall, [&] {
    return report_.delivered + report_.rejected >= planned_ * reach_ &&
           (options().qos == 0 || acknowledged_ >= planned_);
  });
  report_.delivery = end(complete ? clock_.now() : progressed_);
  report_.published = planned_;
  report_.expected = planned_ * reach_;
  if (options().qos > 0) report_.unacknowledged = planned_ - std::min(planned_, acknowledged_);
}

// Publishes to those who are not.
void Generator::store() {
  begin();
  publishing_ = true;
  for (LoadClient* client : publishers_) pump(*client);
  const bool complete = run_until("storing", acknowledged_, delivery_stall,
                                  [&] { return acknowledged_ >= planned_; });
  publishing_ = false;
  report_.storing = end(complete ? clock_.now() : progressed_);
  report_.published = planned_;
  report_.unacknowledged = planned_ - std::min(planned_, acknowledged_);
  // What is retained is stored once, whoever hears it.
  report_.stored = acknowledged_ * (options().presence == Presence::behind ? 1 : reach_);
}

// They come, and receive what was published meanwhile.
void Generator::receive() {
  for (std::size_t i = 0; i < options().subscribers; ++i) {
    LoadClient& client = clients_[i];
    if (client.leaves) client.greeting = LoadClient::Greeting::resume;
    client.leaves = false;
  }
  report_.expected = planned_ * reach_;
  begin();
  opened_ = 0;
  open_limit_ = options().subscribers;
  const bool complete = run_until("receiving", report_.delivered, delivery_stall,
                                  [&] { return report_.delivered >= report_.expected; });
  report_.delivery = end(complete ? clock_.now() : progressed_);
}

// Ends the sessions that were made, or the next load on this broker would fill their queues.
void Generator::discard() {
  publishing_ = false;
  for (LoadClient& client : clients_) {
    client.close();
    client.greeting = LoadClient::Greeting::none;
    client.persistent = false;
    client.leaves = true;
  }
  connect(0, options().persistent_publishers ? clients_.size() : options().subscribers);
}

void Generator::run_connections() {
  report_.resident_before = resident_bytes(options().pid);
  const CpuTime before = broker_cpu();
  began_ = clock_.now();
  connect(0, clients_.size());
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
