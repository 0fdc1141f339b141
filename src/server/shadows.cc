#include "server/shadows.h"

#include <array>
#include <atomic>
#include <utility>
#include <variant>

#include "base/limits.h"
#include "runtime/timer.h"
#include "server/shadow_quota.h"
#include "shadow/sweep.h"

namespace gnomon::server {

namespace {

struct Loaded {
  std::string key;
  Result<std::optional<std::string>> value;
};
struct Index {
  std::shared_ptr<const index::Configuration> what;
  std::shared_ptr<std::atomic<std::size_t>> left;  // shards that do not know yet
  std::function<void()> then;
};
struct Swept {
  Result<std::vector<shadow::Deleted>> deleted;
  shadow::SweepPlace place;  // where the next slice begins
};
using Letter = std::variant<shadow::Request, Loaded, Index, Swept>;

// What a request takes beside its payload, until it is answered: itself, its names, what is told.
constexpr std::size_t request_bytes = 512;

constexpr const char* busy = "Too many requests";

}  // namespace

// Lane: what the loop of a shard does for shadows, in front of what it does for the shard: what is
// told of them is on its way in the same turn. Threads: admit(), ask() and send() any, the rest the
// loop's.
class Shadows::Lane final : public runtime::TurnHandler,
                            private shadow::Host,
                            private runtime::Timer {
 public:
  Lane(const Setup& setup, std::size_t at)
      : setup_(setup),
        shard_(*setup.shards[at]),
        loop_(*setup.loops[at]),
        next_(shard_),
        number_(static_cast<int>(at)),
        mailbox_(loop_),
        quota_(setup.profile),
        partition_(
            {setup.store, *this, setup.limits, limits::shadow_cache_bytes / setup.shards.size()}) {
    loop_.set_turn_handler(this);
    begin_sweep();
  }

  // Whether a request with such a payload may come in; then ask() follows, and it counts until it
  // is answered.
  bool admit(std::size_t payload_bytes) {
    const std::size_t bytes = payload_bytes + request_bytes;
    const std::size_t open = open_.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::size_t held = open_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    if (open <= limits::shadow_requests_max && held <= limits::shadow_requests_bytes) return true;
    give_back(bytes);
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  void ask(shadow::Request request) {
    request.then = [this, bytes = request.payload.size() + request_bytes,
                    then = std::move(request.then)](shadow::Told told) {
      give_back(bytes);
      if (then) then(std::move(told));
    };
    send(std::move(request));
  }

  void send(Letter letter) {
    std::vector<Letter> batch;
    batch.push_back(std::move(letter));
    mailbox_.push(batch);
  }
  [[nodiscard]] shadow::Partition::Counts counts() const {
    shadow::Partition::Counts counts = partition_.counts();
    counts.open = open_.load(std::memory_order_relaxed);
    return counts;
  }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  void give_back(std::size_t bytes) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    open_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  bool on_turn() override {
    if (at_ == mail_.size()) {
      mail_.clear();
      at_ = 0;
      mailbox_.take(mail_);
    }
    for (int left = limits::shadow_requests_per_turn; left > 0 && at_ < mail_.size(); --left) {
      Letter& letter = mail_[at_++];
      if (auto* request = std::get_if<shadow::Request>(&letter)) {
        handle(std::move(*request));
      } else if (auto* loaded = std::get_if<Loaded>(&letter)) {
        partition_.loaded(loaded->key, std::move(loaded->value));
      } else if (auto* index = std::get_if<Index>(&letter)) {
        partition_.set_index(std::move(index->what));
        if (index->left->fetch_sub(1) == 1) index->then();
      } else {
        sweep(std::get<Swept>(letter));
      }
    }
    partition_.turn();
    return next_.on_turn() || at_ < mail_.size();
  }

  void handle(shadow::Request request) {
    // What the server asks itself is nobody's to be bounded.
    if (!quota_.limits_anything() || request.ask == shadow::Ask::index)
      return partition_.handle(std::move(request));
    const std::string& thing = request.address.thing;
    if (!quota_.take(thing, loop_.now())) return partition_.reject(std::move(request), {429, busy});
    request.then = [this, thing, then = std::move(request.then)](shadow::Told told) {
      quota_.give_back(thing);
      then(std::move(told));
    };
    partition_.handle(std::move(request));
  }

  // ---- the sweep: a slice at a time, looked for on the pool
  void begin_sweep() {
    place_ = {number_, {}};
    loop_.timers().arm(*this, loop_.now() + limits::shadow_sweep_every);
  }
  void on_timer() override {
    const auto now = static_cast<shadow::Seconds>(loop_.wall_now().ms / 1000);
    setup_.pool.run([this, now, place = place_]() mutable {
      auto deleted =
          shadow::long_deleted(setup_.store, place, static_cast<int>(setup_.shards.size()), now,
                               limits::shadows_per_sweep);
      send(Swept{std::move(deleted), std::move(place)});
    });
  }
  void sweep(Swept& swept) {
    if (!swept.deleted) return broken(swept.deleted.error());
    for (shadow::Deleted& one : *swept.deleted) {
      partition_.handle(
          {std::move(one.address), shadow::Ask::forget, std::move(one.key), 0, {}, {}});
    }
    if (swept.place.done()) return begin_sweep();
    place_ = std::move(swept.place);
    loop_.timers().arm(*this, loop_.now() + limits::shadow_sweep_pause);
  }
  [[nodiscard]] bool has_mail() const override {
    return !mailbox_.empty() || partition_.is_due() || next_.has_mail();
  }

  void publish(const std::string& topic, const std::string& payload, std::uint8_t qos) override {
    message::Message message;
    message.topic = topic;
    message.payload = as_bytes(payload);
    message.qos = qos;
    message.origin.kind = message::OriginKind::shadow;
    shard_.publish(message);
  }
  void read(const std::string& key) override {
    setup_.pool.run([this, key] { send(Loaded{key, setup_.store.get(key)}); });
  }
  void request_sync() override { setup_.syncer.request(number_); }
  void broken(const Error& error) override { setup_.on_broken(error); }
  [[nodiscard]] WallTime wall_now() const override { return loop_.wall_now(); }

  const Setup setup_;
  broker::Shard& shard_;
  runtime::Loop& loop_;
  runtime::TurnHandler& next_;
  const int number_;
  runtime::Mailbox<Letter> mailbox_;
  std::vector<Letter> mail_;
  std::size_t at_ = 0;  // of mail_: what is before it is handled
  // Requests on their way here, or not answered.
  std::atomic<std::size_t> open_{0}, open_bytes_{0};
  std::atomic<std::uint64_t> refused_{0};
  ShadowQuota quota_;
  shadow::SweepPlace place_;
  shadow::Partition partition_;
};

Shadows::Shadows(const Setup& setup) : request_bytes_(setup.limits.request_bytes) {
  for (std::size_t i = 0; i < setup.shards.size(); ++i)
    lanes_.push_back(std::make_unique<Lane>(setup, i));
}
Shadows::~Shadows() = default;

bool Shadows::takes(std::string_view topic) { return shadow::read_topic(topic).has_value(); }

Shadows::Lane& Shadows::lane_of(const std::string& thing) const {
  const int lane = partition::thread_of(shadow::slot_of(thing), static_cast<int>(lanes_.size()));
  return *lanes_[static_cast<std::size_t>(lane)];
}

void Shadows::request(const broker::ReservedPublish& request, broker::ReservedTopics::Taken taken) {
  auto topic = shadow::read_topic(request.topic);
  // Of what is too long so much that it is seen to be.
  const std::string_view payload = as_text(request.payload).substr(0, request_bytes_ + 1);
  Lane& lane = lane_of(topic->address.thing);
  if (!lane.admit(payload.size())) {
    if (taken) taken(mqtt::Reason::quota_exceeded);
    return;
  }
  shadow::Request asked{
      std::move(topic->address),
      topic->ask,
      std::string(payload),
      request.qos,
      {shadow::Source::mqtt, std::string(request.principal), std::string(request.client_id)},
      {}};
  if (taken) {
    asked.then = [taken = std::move(taken)](const shadow::Told&) { taken(mqtt::Reason::success); };
  }
  lane.ask(std::move(asked));
}

void Shadows::ask(shadow::Request request) {
  Lane& lane = lane_of(request.address.thing);
  if (!lane.admit(request.payload.size())) {
    const shadow::Rejection why{429, busy};
    if (request.then) request.then({why, shadow::rejected(why, {})});
    return;
  }
  lane.ask(std::move(request));
}

void Shadows::set_index(const std::shared_ptr<const index::Configuration>& what,
                        const std::function<void()>& then) {
  const auto left = std::make_shared<std::atomic<std::size_t>>(lanes_.size());
  for (auto& lane : lanes_) lane->send(Index{what, left, then});
}

metrics::Sample Shadows::sample(std::size_t shard) const {
  using metrics::Kind;
  constexpr const char* requests = "Requests for device shadows.";
  constexpr const char* rejections = "Requests for device shadows that were rejected.";
  static constexpr auto rows = std::to_array<metrics::Row>({
      {"gnomon_shadow_requests_total", Kind::counter, "kind=\"get\"", requests},
      {"gnomon_shadow_requests_total", Kind::counter, "kind=\"update\"", requests},
      {"gnomon_shadow_requests_total", Kind::counter, "kind=\"delete\"", requests},
      {"gnomon_shadow_rejections_total", Kind::counter, "reason=\"version\"", rejections},
      {"gnomon_shadow_rejections_total", Kind::counter, "reason=\"quota\"", rejections},
      {"gnomon_shadow_rejections_total", Kind::counter, "reason=\"busy\"", rejections},
      {"gnomon_shadow_rejections_total", Kind::counter, "reason=\"other\"", rejections},
      {"gnomon_shadow_reads_total", Kind::counter, "", "Shadows that were read from the store."},
      {"gnomon_shadows_forgotten_total", Kind::counter, "",
       "Deleted shadows whose versions are not remembered any more."},
      {"gnomon_shadows_cached", Kind::gauge, "", "Shadows that are held in memory."},
      {"gnomon_shadow_cache_bytes", Kind::gauge, "", "What they take."},
      {"gnomon_shadow_requests_open", Kind::gauge, "", "Requests that are not answered yet."},
  });
  const Lane& lane = *lanes_[shard];
  const auto counts = lane.counts();
  return {rows,
          {counts.gets, counts.updates, counts.deletions, counts.conflicts, counts.throttled,
           lane.refused(), counts.rejected, counts.loads, counts.forgotten, counts.cached,
           counts.cached_bytes, counts.open}};
}

}  // namespace gnomon::server
