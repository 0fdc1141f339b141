// Generator: the load of a mesh, and what it has lost.
#include <algorithm>
#include <atomic>
#include <thread>

#include "cli/generator.h"

namespace gnomon::cli {

using namespace std::chrono_literals;

namespace {

constexpr Duration quiet = 2s;  // nothing comes any more

// Two who have nothing to do with the mesh. In a thread of their own: what the generator's takes
// for its many packets is not the broker's latency.
class Bystanders {
 public:
  Bystanders(const LoadOptions& mesh, const MonotonicClock& clock) {
    LoadOptions pair = mesh;
    pair.shape = Shape::pairs;
    pair.publishers = pair.subscribers = 1;
    pair.client_id += "quiet";
    pair.rate = mesh.bystander_rate;
    pair.pid = 0;
    pair.connected = [this] { begin(); };
    thread_ = std::thread([this, pair, &clock] {
      report_.emplace(run_load(pair, clock, [](const LoadProgress&) {}));
      begin();  // it may have failed
    });
    began_.wait(false);
  }
  Bystanders(const Bystanders&) = delete;
  Bystanders& operator=(const Bystanders&) = delete;
  ~Bystanders() {
    if (thread_.joinable()) thread_.join();
  }
  Result<LoadReport> report() {
    thread_.join();
    return std::move(*report_);
  }

 private:
  void begin() {
    began_ = true;
    began_.notify_one();
  }

  std::optional<Result<LoadReport>> report_;
  std::atomic<bool> began_{false};
  std::thread thread_;
};

}  // namespace

void Generator::make_mesh() {
  LoadOptions& o = report_.options;
  o.publishers = o.subscribers;
  o.window = UINT64_MAX;
  o.hears = std::min(o.hears, o.subscribers - 1);
  reach_ = o.hears == 0 ? o.subscribers : o.hears;
  for (std::uint32_t i = 0; i < o.subscribers; ++i) {
    LoadClient& client = make_client(i);
    client.publisher = true;
    client.topic = topic_of(i);
    client.greeting = LoadClient::Greeting::subscribe;
    client.qos = o.qos;
    client.next.resize(o.subscribers);
    client.prepare(o.qos, false);
    client.quota = UINT64_MAX;
    if (o.hears == 0) client.filters = {"bench/" + std::to_string(getpid()) + "/mesh/+"};
    for (std::uint32_t next = 1; next <= o.hears; ++next)
      client.filters.push_back(topic_of((i + next) % o.subscribers));
    publishers_.push_back(&client);
  }
}

void Generator::run_mesh() {
  connect(0, clients_.size());
  if (failure_) return;
  const Duration time = options().publish_for;
  Bystanders bystanders(options(), clock_);  // they are connected now
  begin();
  publishing_ = true;
  for (LoadClient* client : publishers_) pump(*client);
  run_for("publishing", report_.delivered, time / 4);
  report_.resident_quarter = resident_bytes(options().pid);
  run_for("publishing", report_.delivered, time - time / 4);
  publishing_ = false;
  report_.resident_end = resident_bytes(options().pid);
  report_.delivery = end(clock_.now());
  const std::uint64_t delivered = report_.delivered;
  for (const LoadClient* client : publishers_) report_.published += client->sent;
  if (options().qos > 0) drain_mesh();
  report_.delivered_after = report_.delivered - delivered;
  report_.delivered = delivered;
  report_.acknowledged = acknowledged_ - report_.refused;
  if (options().qos > 0) report_.unacknowledged = report_.published - acknowledged_;
  count_lost();
  const auto quiet_pair = bystanders.report();
  if (!quiet_pair) return check(quiet_pair.error());
  report_.latency = quiet_pair->latency;
  report_.bystander_sent = quiet_pair->expected;
  report_.bystander_lost = quiet_pair->expected - quiet_pair->delivered;
}

// Waits for what is still to come.
void Generator::drain_mesh() {
  const std::uint64_t published = report_.published;
  run_until("receiving", report_.delivered, quiet, [&] {
    return acknowledged_ == published &&
           report_.delivered >= (published - report_.refused) * reach_;
  });
}

// A publisher's messages come in their order, so what is not its next tells what is missing.
void Generator::on_mesh_stamp(LoadClient& client, const Stamp& stamp) {
  std::uint32_t& next = client.next[stamp.publisher];
  if (stamp.sequence < next) {
    ++report_.out_of_order;
    return;
  }
  if (stamp.sequence > next && options().qos > 0)
    close_gap({client.index, stamp.publisher, next, stamp.sequence});
  next = stamp.sequence + 1;
}

// Whether what is missing was promised is known when its publisher has heard.
void Generator::close_gap(const Gap& gap) {
  if (gap.to <= publishers_[gap.publisher]->acknowledged) {
    publishers_[gap.client]->lost += kept_of(gap);
    return;
  }
  gaps_.push_back(gap);
  if (gaps_.size() < gaps_max_) return;
  const std::vector<Gap> all = std::exchange(gaps_, {});
  for (const Gap& each : all) {
    if (each.to <= publishers_[each.publisher]->acknowledged) {
      publishers_[each.client]->lost += kept_of(each);
    } else {
      gaps_.push_back(each);
    }
  }
  gaps_max_ = std::max(gaps_max_, 2 * gaps_.size());
}

// How many of these messages were acknowledged with success.
std::uint64_t Generator::kept_of(const Gap& gap) const {
  const LoadClient& publisher = *publishers_[gap.publisher];
  const std::uint64_t to = std::min<std::uint64_t>(gap.to, publisher.acknowledged);
  if (to <= gap.from) return 0;
  const auto& refusals = publisher.refusals;
  const auto first = std::ranges::lower_bound(refusals, gap.from);
  const auto last = std::lower_bound(first, refusals.end(), to);
  return to - gap.from - static_cast<std::uint64_t>(last - first);
}

void Generator::count_lost() {
  for (const Gap& gap : gaps_) publishers_[gap.client]->lost += kept_of(gap);
  gaps_.clear();
  if (options().qos == 0) return;
  const std::uint32_t count = options().subscribers, hears = options().hears;
  for (LoadClient* client : publishers_) {
    if (client->state != LoadClient::State::ready) continue;
    const std::uint32_t from = hears == 0 ? 0 : 1, to = hears == 0 ? count - 1 : hears;
    for (std::uint32_t step = from; step <= to; ++step) {
      const std::uint32_t publisher = (client->index + step) % count;
      client->lost += kept_of({client->index, publisher, client->next[publisher],
                               static_cast<std::uint32_t>(publishers_[publisher]->sent)});
    }
    report_.lost += client->lost;
  }
}

}  // namespace gnomon::cli
