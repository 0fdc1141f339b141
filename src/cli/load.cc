#include "cli/load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <memory>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/frames.h"
#include "cli/load_client.h"

namespace gnomon::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t input_bytes = 256 * KiB;
constexpr std::size_t send_bytes = 64 * KiB;  // of one publisher at once
constexpr Duration stall = 3s;                // without a delivery: messages were lost
constexpr Duration handshake_stall = 10s;     // without a handshake done
constexpr Duration settle = 300ms;            // for the broker to finish its handshake work
constexpr Duration connections_settle = 2s;
constexpr Duration tell_every = 250ms;

// Generator: the clients, one epoll loop, and the measured run.
// Owner: run_load(); one thread, so that a delivery costs no atomic operation.
class Generator {
 public:
  Generator(const LoadOptions& options, const MonotonicClock& clock,
            const std::function<void(const LoadProgress&)>& progress)
      : clock_(clock), progress_(progress) {
    report_.options = options;
  }
  ~Generator() {
    clients_.clear();
    if (epoll_ >= 0) ::close(epoll_);
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  Result<LoadReport> run();

 private:
  [[nodiscard]] const LoadOptions& options() const { return report_.options; }
  [[nodiscard]] bool connections() const { return options().shape == Shape::connections; }
  [[nodiscard]] std::string topic_of(std::uint32_t index) const;
  void make_clients();

  void run_messages();
  void run_connections();
  void connect_up_to(std::size_t count);
  [[nodiscard]] CpuTime broker_cpu();

  // Takes turns until `done()`, or until something failed, or until `progress` has stayed the same
  // for `stall`; true if it is done.
  template <class Done>
  bool run_until(const char* doing, const std::uint64_t& progress, Duration stall, Done done);
  void run_for(const char* doing, const std::uint64_t& progress, Duration time);
  void tell(const char* doing, std::uint64_t done);
  void turn();
  void on_event(LoadClient& client, std::uint32_t events);
  void on_readable(LoadClient& client);
  void on_frame(LoadClient& client, const Frame& frame);
  void on_publish(LoadClient& client, const Frame& frame);
  void close(LoadClient& client);
  void check(const Result<void>& result) {
    if (!result && !failure_) failure_ = result.error();
  }

  void credit(LoadClient& publisher);
  [[nodiscard]] std::uint64_t allowed(const LoadClient& publisher) const;
  void pump(LoadClient& publisher);
  Duration pace();

  const MonotonicClock& clock_;
  const std::function<void(const LoadProgress&)>& progress_;
  LoadReport report_;
  std::optional<Error> failure_;
  Target target_;
  int epoll_ = -1;
  std::deque<LoadClient> clients_;  // the subscribers, then the publishers
  std::vector<LoadClient*> publishers_, to_pump_;
  std::uint64_t reach_ = 1;    // subscribers that each message reaches
  std::uint64_t planned_ = 0;  // messages; with a time limit they are counted when it is over
  std::size_t opened_ = 0, open_limit_ = 0, handshaking_ = 0;
  std::uint64_t ready_ = 0, acknowledged_ = 0, paced_ = 0;
  bool publishing_ = false;
  // A clock is read once in a few turns only: here that costs as much as sending a message.
  Instant now_{}, began_{}, progressed_{}, told_{}, told_began_{};
  std::uint64_t turns_ = 0, told_done_ = 0;
  const std::unique_ptr<std::uint8_t[]> input_ = std::make_unique<std::uint8_t[]>(input_bytes);
  mqtt::Incoming incoming_;
};

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

// ---- turns

template <class Done>
bool Generator::run_until(const char* doing, const std::uint64_t& progress, Duration limit,
                          Done done) {
  std::uint64_t seen = progress;
  now_ = progressed_ = clock_.now();
  while (!failure_ && !done()) {
    turn();
    if (progress != seen) {
      seen = progress;
      progressed_ = now_;
    }
    if (now_ - progressed_ > limit) return false;
    if (now_ - told_ >= tell_every) tell(doing, progress);
  }
  return !failure_;
}

void Generator::run_for(const char* doing, const std::uint64_t& progress, Duration time) {
  const Instant until = clock_.now() + time;
  run_until(doing, progress, Duration::max(), [&] { return now_ >= until; });
}

void Generator::tell(const char* doing, std::uint64_t done) {
  if (done < told_done_) told_done_ = 0;
  const double seconds = std::chrono::duration<double>(now_ - told_).count();
  if (told_.ns != 0)
    progress_({doing, now_ - began_, done,
               static_cast<std::uint64_t>(static_cast<double>(done - told_done_) / seconds)});
  told_ = now_;
  told_done_ = done;
  report_.resident_peak = std::max(report_.resident_peak, resident_bytes(options().pid));
}

void Generator::turn() {
  while (opened_ < open_limit_ && handshaking_ < options().burst && !failure_) {
    check(clients_[opened_++].open(target_, options().version, options().persistent));
    ++handshaking_;
  }
  Duration wait = 10ms;
  if (publishing_ && options().rate) wait = std::min(wait, pace());
  std::array<epoll_event, 512> events;
  const timespec timeout{0, wait.count()};
  const int count =
      epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    on_event(*static_cast<LoadClient*>(event.data.ptr), event.events);
  }
  for (LoadClient* client : to_pump_) {
    client->queued = false;
    if (publishing_ && !options().rate) pump(*client);
  }
  to_pump_.clear();
  if (count <= 0 || ++turns_ % 32 == 0) now_ = clock_.now();
}

void Generator::on_event(LoadClient& client, std::uint32_t events) {
  using State = LoadClient::State;
  if (client.state == State::closed) return;
  if ((events & EPOLLOUT) != 0) {
    check(client.on_writable());
    if (client.state == State::closed) return close(client);
    if (client.publisher && client.state == State::ready) credit(client);
  }
  if (client.state != State::connecting && (events & ~EPOLLOUT) != 0) on_readable(client);
}

void Generator::on_readable(LoadClient& client) {
  // What was left over goes in front of what is read, so that packets are whole in one place.
  const std::size_t left = client.partial.size();
  std::memcpy(input_.get(), client.partial.data(), left);
  const ssize_t got = recv(client.fd(), input_.get() + left, input_bytes - left, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return close(client);
  client.partial.clear();
  ByteView in(input_.get(), left + static_cast<std::size_t>(got));
  if (client.state == LoadClient::State::handshake) {
    check(client.on_handshake_bytes(in, incoming_));
    if (client.state == LoadClient::State::ready) {
      ++ready_;
      --handshaking_;
    }
  } else {
    Frame frame;
    while (take_frame(in, frame)) on_frame(client, frame);
    client.partial.append(in);
  }
  if (!client.output.empty()) client.flush();
  if (client.state == LoadClient::State::closed) close(client);
}

void Generator::close(LoadClient& client) {
  client.close();
  ++report_.closed;
}

void Generator::on_frame(LoadClient& client, const Frame& frame) {
  if (frame.type() == mqtt::PacketType::publish) {
    on_publish(client, frame);
  } else if (frame.type() == mqtt::PacketType::puback && frame.body.size() >= 2) {
    // In the order of the PUBLISHes (MQTT 5 §4.6), so it is for the oldest that is open.
    if (read_u16(frame.body, 0) != client.acknowledged % 65535 + 1) ++report_.wrong_acks;
    ++client.acknowledged;
    ++acknowledged_;
    if (client.publisher) credit(client);
  }
}

void Generator::on_publish(LoadClient& client, const Frame& frame) {
  ++report_.delivered;
  const ByteView body = frame.body;
  if (body.size() < 2) return;
  std::size_t at = 2U + read_u16(body, 0);
  if (frame.qos() > 0) {
    if (at + 2 > body.size()) return;
    const std::array<std::uint8_t, 4> puback{0x40, 2, body[at], body[at + 1]};
    client.output.append(puback);
    at += 2;
  }
  if (options().version == mqtt::Version::v5) {
    std::size_t properties = 0;
    if (!read_variable(body, at, properties)) return;
    at += properties;
  }
  Stamp stamp;
  if (at + sizeof stamp > body.size()) return;
  std::memcpy(&stamp, body.data() + at, sizeof stamp);
  if (stamp.publisher >= publishers_.size()) return;
  LoadClient& publisher = *publishers_[stamp.publisher];
  ++publisher.delivered;
  std::uint32_t& next = client.next[client.next.size() == 1 ? 0 : stamp.publisher];
  if (stamp.sequence != next) ++report_.out_of_order;
  next = stamp.sequence + 1;
  if (options().rate)
    report_.latency.add(clock_.now() - Instant{stamp.sent_ns});
  else
    credit(publisher);
}

// ---- publishing

// The publisher may perhaps publish again: it is asked at the end of the turn.
void Generator::credit(LoadClient& publisher) {
  if (publisher.queued) return;
  publisher.queued = true;
  to_pump_.push_back(&publisher);
}

std::uint64_t Generator::allowed(const LoadClient& publisher) const {
  const auto room = [](std::uint64_t limit, std::uint64_t used) {
    return limit > used ? limit - used : 0;
  };
  std::uint64_t count = publisher.quota - publisher.sent;
  count = std::min(count, room(options().window, publisher.sent - publisher.delivered / reach_));
  if (options().qos > 0)
    count = std::min(count, room(options().inflight, publisher.sent - publisher.acknowledged));
  return count;
}

void Generator::pump(LoadClient& publisher) {
  while (publisher.state == LoadClient::State::ready && !publisher.blocked()) {
    const std::uint64_t most = send_bytes / publisher.message_bytes() + 1;
    const std::uint64_t count = std::min(allowed(publisher), most);
    if (count == 0) return;
    const Instant sent = clock_.now();
    for (std::uint64_t i = 0; i < count; ++i) publisher.append_message(sent);
    publisher.flush();
    if (publisher.state == LoadClient::State::closed) return close(publisher);
  }
}

// Publishes what is due by the timetable; returns how long until the next is.
Duration Generator::pace() {
  const double per_ns = static_cast<double>(*options().rate) / 1e9;
  const auto elapsed = static_cast<double>((clock_.now() - began_).count());
  const std::uint64_t due = std::min(static_cast<std::uint64_t>(elapsed * per_ns), planned_);
  for (; paced_ < due; ++paced_) {
    LoadClient& publisher = *publishers_[paced_ % publishers_.size()];
    if (publisher.state != LoadClient::State::ready) continue;
    publisher.append_message(clock_.now());
    if (!publisher.blocked()) publisher.flush();
    if (publisher.state == LoadClient::State::closed) close(publisher);
  }
  if (paced_ == planned_) return 10ms;
  const Instant next =
      began_ + Duration(static_cast<std::int64_t>(static_cast<double>(paced_ + 1) / per_ns));
  return std::max(next - clock_.now(), Duration(0));
}

}  // namespace

Result<LoadReport> run_load(const LoadOptions& options, const MonotonicClock& clock,
                            const std::function<void(const LoadProgress&)>& progress) {
  if (options.payload_bytes < sizeof(Stamp))
    return Error{Code::invalid, "a payload has at least 16 bytes"};
  return Generator(options, clock, progress).run();
}

}  // namespace gnomon::cli
