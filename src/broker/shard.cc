// Shard: turns, mail, connections. Routing and interest are in shard_routing.cc.
#include "broker/shard.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/limits.h"
#include "topic/topic.h"

namespace gnomon::broker {

Shard::Shard(const Setup& setup)
    : id_(setup.id),
      profile_(setup.profile),
      loop_(setup.loop),
      random_(setup.random),
      seed_(setup.seed),
      mailbox_(setup.loop),
      rates_(setup.profile.rates, setup.shards),
      index_(setup.seed, setup.profile.hash_matches_parent),
      interest_(setup.seed),
      routes_(setup.seed),
      // Ids name their shard, and no id is 0.
      next_message_id_((std::uint64_t{setup.id} << source_shift) + 1),
      authenticator_(setup.authenticator),
      reserved_(setup.reserved),
      watermarks_(setup.profile.held_bytes_max, setup.shards),
      syncer_(setup.syncer),
      pool_(setup.pool),
      store_(setup.store),
      run_(setup.run),
      on_broken_(setup.on_broken),
      keeper_({setup.id, setup.shards, setup.run, setup.seed, setup.profile, setup.store, *this,
               counters_, setup.random, setup.presence}) {
  loop_.set_turn_handler(this);
}

Shard::~Shard() { loop_.set_turn_handler(nullptr); }

void Shard::join(std::span<const std::unique_ptr<Shard>> shards) {
  for (const auto& shard : shards) {
    outboxes_.push_back(shard.get() == this ? nullptr
                                            : std::make_unique<Outbox>(id_, shard->mailbox()));
    mailboxes_.push_back(&shard->mailbox());
    held_by_.push_back(&shard->held_);
    event_filters_of_.push_back(&shard->event_filters_);
  }
  peers_.resize(shards.size());
  handovers_.resize(shards.size());
  waiting_kept_.resize(shards.size());
  acks_.resize(shards.size());
}

// Sessions are members of share groups, whose homes are elsewhere. Without mail: nobody runs yet.
void Shard::bring_members(std::span<const std::unique_ptr<Shard>> shards) {
  keeper_.each_share([&](const ShareJoin& join) {
    const auto slot = partition::slot_of(partition::KeyKind::share_group, join.filter);
    shards[owner_of(slot)]->keeper_.adopt(join);
  });
}

// What the sessions and share groups of this shard's keeper want, in the same way.
void Shard::introduce(std::span<const std::unique_ptr<Shard>> shards) {
  const auto tell = [&](std::string_view filter, int owner_id) {
    note_filter(filter, true);
    const bool wildcard = topic::has_wildcard(filter);
    const auto owner = static_cast<topic::OwnerId>(owner_id);
    for (const auto& shard : shards) {
      if (shard.get() == this) continue;
      if (wildcard) {
        shard->interest_.add_wildcard(filter, owner);
      } else {
        shard->interest_.add_exact(topic::exact_hash(filter, seed_), owner);
      }
    }
  };
  keeper_.each_filter([&](const std::string& filter) { tell(filter, id_ + limits::shards_max); });
  keeper_.each_group([&](std::string_view filter, std::uint32_t group) {
    if (index_.add(filter, group, {}).first_subscriber) tell(filter, id_);
  });
  keeper_.forget_loaded();
}

void Shard::resume() {
  keeper_.resume();
  keeper_.commit();
  flush_outboxes();
}

// ---- turns

bool Shard::on_turn() {
  send_late_releases();
  send_interest_acks();
  take_mail();
  for (const ConnectionRef& ref : std::exchange(doomed_, {})) {
    if (Connection* connection = find(ref)) connection->end_slow();
  }
  for (const ConnectionRef& ref : std::exchange(unholding_, {})) {
    if (Connection* connection = stopping_ ? nullptr : find(ref)) connection->unhold();
  }
  renew_connections();
  keeper_.tell_some();
  // Mail to oneself and what the keeper decides may cause more of both; each ends after a few.
  do {
    flush_acks(id_);
    self_batch_.swap(self_mail_);
    for (Envelope& envelope : self_batch_) handle(envelope);
    self_batch_.clear();
    report_lanes();
    keeper_.commit();
  } while (!self_mail_.empty() || !keeper_.idle());
  arm_expiry();
  arm_pace();
  look_at_pressure();
  let_go_on();
  for (std::size_t shard = 0; shard < acks_.size(); ++shard) {
    flush_acks(static_cast<ShardId>(shard));
  }
  flush_outboxes();
  ready_interest_acks();
  ready_releases_.insert(ready_releases_.end(), std::make_move_iterator(late_releases_.begin()),
                         std::make_move_iterator(late_releases_.end()));
  late_releases_.clear();
  retired_.clear();
  return has_mail();
}

bool Shard::has_mail() const {
  return !mailbox_.empty() || mail_at_ < mail_.size() || !self_mail_.empty() || mail_out_ ||
         !unholding_.empty() || may_renew() || (!yielding_.empty() && !lane_late_ && !stopping_) ||
         !late_releases_.empty() || acks_due_ ||
         ((!ready_releases_.empty() || acks_ready_) && !behind_) || keeper_.has_news();
}

void Shard::flush_outboxes() {
  if (!mail_out_ && !behind_) return;
  mail_out_ = false;
  behind_ = false;
  for (std::size_t shard = 0; shard < outboxes_.size(); ++shard) {
    Outbox* outbox = outboxes_[shard].get();
    if (outbox == nullptr) continue;
    if (!outbox->empty()) outbox->flush(loop_.now());
    if (outbox->blocked()) behind_ = true;
    auto& waiting = handovers_[shard];
    while (!waiting.empty() && waiting.front().position <= outbox->handed_over()) {
      const WaitingHandover handover = waiting.front();
      waiting.pop_front();
      settle(handover.connection, handover.ticket, mqtt::Reason::success);
    }
  }
  if (behind_) return;
  for (const ConnectionRef& ref : std::exchange(parked_, {})) {
    if (Connection* connection = find(ref)) connection->unpark();
  }
}

// ---- connections

void Shard::adopt(const runtime::Accepted& accepted) {
  if (Connection* connection = make_connection()) {
    connection->open(loop_.adopt(accepted, *connection));
  } else {
    loop_.discard(accepted);
  }
}

void Shard::adopt(runtime::StreamPtr stream, ByteView unread, std::shared_ptr<const Proof> proof) {
  Connection* connection = make_connection();
  if (connection == nullptr) return;
  stream->set_handler(*connection);
  connection->open(std::move(stream), std::move(proof));
  if (!unread.empty()) connection->take(unread);
}

// Null: there are too many.
Connection* Shard::make_connection() {
  if (stopping_ || unauthenticated_ >= limits::unauthenticated_max) {
    counters_.add(Count::connect_refused_limit);
    load_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
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
  return place.connection.get();
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
  for (std::size_t shard = 0; shard < outboxes_.size(); ++shard) {
    send(static_cast<ShardId>(shard), LastCall());
  }
}

void Shard::handle_last_call() {
  if (++last_calls_ < outboxes_.size()) return;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].connection) places_[i].connection->shut_down();
  }
}

bool Shard::drained() const {
  return established_ == 0 && unauthenticated_ == 0 && late_releases_.empty() &&
         ready_releases_.empty() && !has_mail();
}

Counters Shard::sample() {
  const auto& stats = loop_.stats();
  counters_.set(Count::held, held_.load(std::memory_order_relaxed));
  counters_.set(Count::pressed, pressure_ != Pressure::none ? 1 : 0);
  counters_.set(Count::connections, static_cast<std::uint64_t>(established_));
  counters_.set(Count::subscriptions, index_.subscriptions() - keeper_.groups());
  counters_.set(Count::filters, index_.filters());
  counters_.set(Count::sessions, keeper_.sessions());
  counters_.set(Count::sessions_away, keeper_.away());
  counters_.set(Count::queued, keeper_.queued());
  counters_.set(Count::ready_bytes, keeper_.ready_bytes());
  counters_.set(Count::share_members, keeper_.share_members());
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
  flush_acks(to);  // what was acknowledged before goes before
  if (to == id_) {
    self_mail_.push_back({id_, std::move(mail)});
    return;
  }
  outboxes_[to]->send(std::move(mail));
  mail_out_ = true;
}

void Shard::send_home(const std::string& client_id, Mail mail) {
  send(owner_of(partition::slot_of(partition::KeyKind::client_id, client_id)), std::move(mail));
}

void Shard::release(Release release) {
  if (!release.publish_will) {
    const std::string client_id = release.client_id;
    return send_home(client_id, std::move(release));
  }
  late_releases_.push_back(std::move(release));
}

void Shard::send_late_releases() {
  if (ready_releases_.empty() || behind_) return;
  for (Release& release : std::exchange(ready_releases_, {})) {
    const std::string client_id = release.client_id;
    send_home(client_id, std::move(release));
  }
}

namespace {
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
}  // namespace

void Shard::handle(Envelope& envelope) {
  const ShardId from = envelope.from;
  const auto with = [this](const ConnectionRef& ref, auto&& call) {
    if (auto* connection = find(ref)) call(*connection);
  };
  std::visit(
      Overloaded{
          [&](Data& data) { handle_data(from, data); },
          [&](Deliveries& deliveries) { handle_deliveries(from, deliveries); },
          [&](Kept& kept) { handle_kept(from, kept); },
          [&](Credit& credit) {
            outboxes_[from]->credit(std::move(credit.block));
            if (behind_) mail_out_ = true;
          },
          [&](InterestChange& change) { handle_interest(from, change); },
          [&](InterestAck& ack) { handle_interest_ack(from, ack); },
          [&](Authenticated& authenticated) {
            with(authenticated.connection,
                 [&](Connection& c) { c.authenticated(std::move(authenticated.verdict)); });
          },
          [&](Renewed& renewed) {
            --renewals_open_;
            with(renewed.connection,
                 [&](Connection& c) { c.renewed(renewed.number, std::move(renewed.verdict)); });
          },
          [&](Grant& grant) { with(grant.connection, [&](Connection& c) { c.granted(grant); }); },
          [&](Deny& deny) { with(deny.connection, [&](Connection& c) { c.denied(deny.reason); }); },
          [&](Evict& evict) { with(evict.connection, [&](Connection& c) { c.evicted(evict); }); },
          [&](Change& change) {
            // To the home of its session, or back with the answer.
            if (change.answered) {
              with(change.connection, [&](Connection& c) { c.changed(change); });
            } else {
              keeper_.handle(change);
            }
          },
          [&](RetainedPage& page) {
            with(page.connection, [&](Connection& c) { c.replayed(page); });
          },
          [&](Answered& answered) {
            with(answered.connection, [&](Connection& c) { c.answered(answered.answer); });
          },
          [&](Served& served) {
            with(served.connection,
                 [&](Connection& c) { c.settle(served.ticket, mqtt::Reason::success); });
          },
          [&](ShareJoined& joined) { handle_joined(joined); },
          [&](LastCall&) { handle_last_call(); },
          [&](auto& for_keeper) { keeper_.handle(for_keeper); },
      },
      envelope.mail);
}

void Shard::return_block(ShardId from, std::unique_ptr<Block> block) {
  block->entries.clear();
  outboxes_[from]->send_credit(std::move(block));
  mail_out_ = true;
}

void Shard::handle_data(ShardId from, Data& data) {
  Peer& peer = peers_[from];
  ByteView bytes = data.block->entries.view();
  while (!bytes.empty()) {
    Forwarded forwarded;
    const bool is_forwarded = take_forwarded(bytes, forwarded);
    const auto decoded = message::decode(bytes);
    const message::Message& message = decoded->message;
    bytes = bytes.subspan(decoded->size);
    const Route& to = route(message.topic);
    ++peer.position;
    peer.seen = message.id + 1;
    deliver_here(message, to, nullptr);
    const bool kept = message.qos > 0 && !to.kept.empty();
    if (!kept && to.groups.empty() && !message.retain) continue;
    const auto reason = keeper_.keep(message, to, is_forwarded ? &forwarded : nullptr);
    if (reason != mqtt::Reason::success) peer.refused.push_back({peer.position, reason});
  }
  peer.kept_due |= data.block->wants_kept;
  return_block(from, std::move(data.block));
}

void Shard::handle_deliveries(ShardId from, Deliveries& deliveries) {
  DeliveryReader reader(deliveries.block->entries.view(), id_);
  ConnectionRef to;
  Delivery delivery;
  while (reader.next(to, delivery)) {
    if (Connection* connection = find(to)) {
      connection->deliver_kept(delivery);
    } else {
      give_back(to, delivery);
    }
  }
  return_block(from, std::move(deliveries.block));
}

}  // namespace gnomon::broker
