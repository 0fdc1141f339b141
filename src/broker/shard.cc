// Shard: turns, mail, connections. Routing and interest are in shard_routing.cc.
#include "broker/shard.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace gnomon::broker {

Shard::Shard(const Setup& setup)
    : id_(setup.id),
      profile_(setup.profile),
      loop_(setup.loop),
      random_(setup.random),
      seed_(setup.seed),
      mailbox_(setup.loop),
      index_(setup.seed),
      interest_(setup.seed),
      routes_(setup.seed),
      homes_(setup.store) {
  loop_.set_turn_handler(this);
}

Shard::~Shard() { loop_.set_turn_handler(nullptr); }

void Shard::join(std::span<const std::unique_ptr<Shard>> shards) {
  for (const auto& shard : shards) {
    outboxes_.push_back(shard.get() == this ? nullptr
                                            : std::make_unique<Outbox>(id_, shard->mailbox()));
  }
  interest_acked_.resize(shards.size());
  ack_due_.resize(shards.size());
  handovers_.resize(shards.size());
}

// ---- turns

bool Shard::on_turn() {
  mailbox_.take(mail_);
  for (Envelope& envelope : mail_) handle(envelope);
  mail_.clear();
  for (std::size_t shard = 0; shard < ack_due_.size(); ++shard) {
    if (ack_due_[shard] == 0) continue;
    send(static_cast<ShardId>(shard), InterestAck{std::exchange(ack_due_[shard], 0)});
  }
  for (const ConnectionRef& ref : std::exchange(doomed_, {})) {
    if (Connection* connection = find(ref)) connection->end_slow();
  }
  // Mail to oneself and what home decides may cause more of both; each claim ends after a few.
  do {
    self_batch_.swap(self_mail_);
    for (Envelope& envelope : self_batch_) handle(envelope);
    self_batch_.clear();
    homes_.commit(home_mail_);
    for (Addressed& addressed : home_mail_) send(addressed.to, std::move(addressed.mail));
    home_mail_.clear();
  } while (!self_mail_.empty());
  flush_outboxes();
  retired_.clear();
  return has_mail();
}

bool Shard::has_mail() const { return !mailbox_.empty() || !self_mail_.empty() || mail_out_; }

void Shard::flush_outboxes() {
  if (!mail_out_ && !behind_) return;
  mail_out_ = false;
  behind_ = false;
  for (std::size_t shard = 0; shard < outboxes_.size(); ++shard) {
    Outbox* outbox = outboxes_[shard].get();
    if (outbox == nullptr) continue;
    if (!outbox->empty()) outbox->flush();
    if (outbox->blocked()) behind_ = true;
    auto& waiting = handovers_[shard];
    while (!waiting.empty() && waiting.front().position <= outbox->handed_over()) {
      const WaitingHandover handover = waiting.front();
      waiting.pop_front();
      if (Connection* connection = find(handover.connection)) connection->settle(handover.ticket);
    }
  }
  if (behind_) return;
  for (const ConnectionRef& ref : std::exchange(parked_, {})) {
    if (Connection* connection = find(ref)) connection->unpark();
  }
}

// ---- connections

void Shard::adopt(const runtime::Accepted& accepted) {
  if (stopping_ || unauthenticated_ >= limits::unauthenticated_max) {
    counters_.add(Count::connect_refused_limit);
    loop_.discard(accepted);
    load_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  std::uint32_t index = 0;
  if (free_places_.empty()) {
    index = static_cast<std::uint32_t>(places_.size());
    places_.emplace_back();
  } else {
    index = free_places_.back();
    free_places_.pop_back();
  }
  Place& place = places_[index];
  place.connection = std::make_unique<Connection>(*this, ConnectionRef{id_, index, ++place.serial});
  ++unauthenticated_;
  place.connection->open(loop_.adopt(accepted, *place.connection));
}

Connection* Shard::find(const ConnectionRef& ref) {
  const Place& place = places_[ref.index];
  return place.serial == ref.serial ? place.connection.get() : nullptr;
}

void Shard::retire(const ConnectionRef& ref) {
  retired_.push_back(std::move(places_[ref.index].connection));
  free_places_.push_back(ref.index);
  load_.fetch_sub(1, std::memory_order_relaxed);
}

void Shard::shut_down() {
  stopping_ = true;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].connection) places_[i].connection->shut_down();
  }
}

bool Shard::drained() const { return established_ == 0 && unauthenticated_ == 0; }

Counters Shard::sample() {
  const auto& stats = loop_.stats();
  counters_.set(Count::connections, static_cast<std::uint64_t>(established_));
  counters_.set(Count::subscriptions, index_.subscriptions());
  counters_.set(Count::filters, index_.filters());
  counters_.set(Count::turns, stats.turns);
  counters_.set(Count::reads, stats.reads);
  counters_.set(Count::writes, stats.writes);
  counters_.set(Count::bytes_received, stats.bytes_read);
  counters_.set(Count::bytes_sent, stats.bytes_written);
  counters_.set(Count::short_writes, stats.short_writes);
  counters_.set(Count::wakes, stats.wakes);
  return counters_;
}

// ---- mail

void Shard::send(ShardId to, Mail mail) {
  if (to == id_) {
    self_mail_.push_back({id_, std::move(mail)});
    return;
  }
  outboxes_[to]->send(std::move(mail));
  mail_out_ = true;
}

void Shard::send_home(const std::string& client_id, Mail mail) {
  const auto slot = partition::slot_of(partition::KeyKind::client_id, client_id);
  send(static_cast<ShardId>(partition::thread_of(slot, static_cast<int>(outboxes_.size()))),
       std::move(mail));
}

namespace {
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
}  // namespace

void Shard::handle(Envelope& envelope) {
  const ShardId from = envelope.from;
  std::visit(Overloaded{
                 [&](Data& data) { handle_data(from, data); },
                 [&](Credit& credit) {
                   outboxes_[from]->credit(std::move(credit.block));
                   if (behind_) mail_out_ = true;
                 },
                 [&](InterestChange& change) { handle_interest(from, change); },
                 [&](InterestAck& ack) {
                   interest_acked_[from] = ack.sequence;
                   release_subacks();
                 },
                 [&](Claim& claim) { homes_.handle(claim); },
                 [&](Release& release) { homes_.handle(release); },
                 [&](Grant& grant) {
                   if (auto* connection = find(grant.connection)) {
                     connection->granted(grant.generation);
                   }
                 },
                 [&](Deny& deny) {
                   if (auto* connection = find(deny.connection)) connection->denied(deny.reason);
                 },
                 [&](Evict& evict) {
                   if (auto* connection = find(evict.connection)) connection->evicted();
                 },
                 [&](Adopt& adopted) { adopt(adopted.accepted); },
             },
             envelope.mail);
}

void Shard::handle_data(ShardId from, Data& data) {
  ByteView bytes = data.block->messages.view();
  while (!bytes.empty()) {
    auto decoded = message::decode(bytes);
    deliver_here(decoded->message, route(decoded->message.topic), nullptr);
    bytes = bytes.subspan(decoded->size);
  }
  data.block->messages.clear();
  outboxes_[from]->send_credit(std::move(data.block));
  mail_out_ = true;
}

}  // namespace gnomon::broker
