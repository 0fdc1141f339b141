#include "server/shadows.h"

#include <array>
#include <atomic>
#include <utility>
#include <variant>

#include "base/limits.h"

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
using Letter = std::variant<shadow::Request, Loaded, Index>;

}  // namespace

// Lane: what the loop of a shard does for shadows, in front of what it does for the shard: what is
// told of them is on its way in the same turn. Threads: mailbox any, the rest the loop's.
class Shadows::Lane final : public runtime::TurnHandler, private shadow::Host {
 public:
  Lane(const Setup& setup, std::size_t at)
      : setup_(setup),
        shard_(*setup.shards[at]),
        loop_(*setup.loops[at]),
        next_(shard_),
        number_(static_cast<int>(at)),
        mailbox_(loop_),
        partition_({setup.store, *this, setup.limits,
                    limits::shadow_cache_bytes / setup.shards.size(),
                    limits::shadow_requests_max}) {
    loop_.set_turn_handler(this);
  }

  void send(Letter letter) {
    std::vector<Letter> batch;
    batch.push_back(std::move(letter));
    mailbox_.push(batch);
  }
  [[nodiscard]] shadow::Partition::Counts counts() const { return partition_.counts(); }

 private:
  bool on_turn() override {
    if (at_ == mail_.size()) {
      mail_.clear();
      at_ = 0;
      mailbox_.take(mail_);
    }
    for (int left = limits::shadow_requests_per_turn; left > 0 && at_ < mail_.size(); --left) {
      Letter& letter = mail_[at_++];
      if (auto* request = std::get_if<shadow::Request>(&letter)) {
        partition_.handle(std::move(*request));
      } else if (auto* loaded = std::get_if<Loaded>(&letter)) {
        partition_.loaded(loaded->key, std::move(loaded->value));
      } else {
        auto& index = std::get<Index>(letter);
        partition_.set_index(std::move(index.what));
        if (index.left->fetch_sub(1) == 1) index.then();
      }
    }
    partition_.turn();
    return next_.on_turn() || at_ < mail_.size();
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
  shadow::Partition partition_;
};

Shadows::Shadows(const Setup& setup) {
  for (std::size_t i = 0; i < setup.shards.size(); ++i)
    lanes_.push_back(std::make_unique<Lane>(setup, i));
}
Shadows::~Shadows() = default;

bool Shadows::takes(std::string_view topic) { return shadow::read_topic(topic).has_value(); }

void Shadows::request(const broker::ReservedPublish& request, broker::ReservedTopics::Taken taken) {
  auto topic = shadow::read_topic(request.topic);
  shadow::Request asked{
      std::move(topic->address),
      topic->ask,
      std::string(as_text(request.payload)),
      request.qos,
      {shadow::Source::mqtt, std::string(request.principal), std::string(request.client_id)},
      {}};
  if (taken) asked.then = [taken = std::move(taken)](const shadow::Told&) { taken(); };
  ask(std::move(asked));
}

void Shadows::ask(shadow::Request request) {
  const auto slot = shadow::slot_of(request.address.thing);
  const int lane = partition::thread_of(slot, static_cast<int>(lanes_.size()));
  lanes_[static_cast<std::size_t>(lane)]->send(std::move(request));
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
      {"gnomon_shadow_rejections_total", Kind::counter, "reason=\"other\"", rejections},
      {"gnomon_shadow_reads_total", Kind::counter, "", "Shadows that were read from the store."},
      {"gnomon_shadows_cached", Kind::gauge, "", "Shadows that are held in memory."},
      {"gnomon_shadow_cache_bytes", Kind::gauge, "", "What they take."},
      {"gnomon_shadow_requests_open", Kind::gauge, "", "Requests that are not answered yet."},
  });
  const auto counts = lanes_[shard]->counts();
  return {rows,
          {counts.gets, counts.updates, counts.deletions, counts.conflicts, counts.rejected,
           counts.loads, counts.cached, counts.cached_bytes, counts.open}};
}

}  // namespace gnomon::server
