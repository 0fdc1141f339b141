// Shard: where messages go.
#include <algorithm>
#include <bit>
#include <utility>

#include "base/limits.h"
#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

using mqtt::Reason;

namespace {
// Owners of interest: shards for their connections, and above them the same for their keepers.
constexpr topic::OwnerMask shard_mask = (topic::OwnerMask{1} << limits::shards_max) - 1;
}  // namespace

// ---- routes

Route& Shard::route(std::string_view topic) {
  Route& route = routes_.find(topic);
  if (route.generation != generation_) refresh(route);
  return route;
}

void Shard::refresh(Route& route) {
  matched_.clear();
  index_.match(route.topic, matched_);
  route.targets.clear();
  route.online.clear();
  route.kept.clear();
  route.groups.clear();
  route.identifiers.clear();
  merge(matched_, route,
        [&](std::uint32_t subscriber, const Terms& all, const Terms& own,
            std::uint32_t first_identifier) {
          if ((subscriber & Keeper::group_bit) != 0) return;  // the keeper knows it too
          Connection* connection = places_[subscriber].connection.get();
          auto& targets = connection->session().kept ? route.online : route.targets;
          targets.push_back({connection, first_identifier, all, own});
        });
  keeper_.match(route);
  const topic::OwnerMask owners = outboxes_.size() > 1 ? interest_.match(route.topic) : 0;
  route.remote = owners & shard_mask;
  route.kept_remote = owners >> limits::shards_max;
  route.generation = generation_;
  routes_.computed(route);
}

// ---- publishing

void Shard::publish(const message::Message& given) {
  message::Message message = given;
  message.received = loop_.wall_now();
  message.id = next_message_id_++;
  publish(message, route(message.topic), nullptr);
}

bool Shard::may_tell_events() const {
  return std::ranges::any_of(event_filters_of_,
                             [](const std::atomic<int>* filters) { return filters->load() > 0; });
}

// A topic is built, matched and remembered only if there may be somebody.
std::string Shard::wanted_event(EventKind kind, std::string_view client_id) {
  if (!may_tell_events()) return {};
  std::string topic = event_topic(kind, client_id);
  if (topic.empty()) return topic;
  const Route& to = route(topic);
  const bool wanted = !to.targets.empty() || !to.online.empty() || !to.kept.empty() ||
                      !to.groups.empty() || (to.remote | to.kept_remote) != 0;
  return wanted ? topic : std::string();
}

void Shard::publish(const message::Message& given, Told told) {
  message::Message message = given;
  message.received = loop_.wall_now();
  message.id = next_message_id_++;
  const Published published = publish(message, route(message.topic), nullptr);
  const int obligations = Shard::obligations(published);
  if (message.qos == 0 || obligations == 0) return told(published.refused);
  const std::uint64_t number = next_request_++;
  awaited_.emplace(number, Awaited{obligations, published.refused, std::move(told)});
  await(published, {id_, inside, 0}, number);
}

void Shard::settle(const ConnectionRef& ref, Tickets::Number ticket, Reason reason) {
  if (ref.index != inside) {
    if (Connection* connection = find(ref)) connection->settle(ticket, reason);
    return;
  }
  const auto at = awaited_.find(ticket);
  if (at->second.reason == Reason::success) at->second.reason = reason;
  if (--at->second.obligations > 0) return;
  const Awaited met = std::move(at->second);
  awaited_.erase(at);
  met.told(met.reason);
}

Shard::Published Shard::publish(const message::Message& message, Route& route,
                                const Connection* origin, const Forwarded* forwarded) {
  deliver_here(message, route, origin);
  topic::OwnerMask threads = route.remote;
  Published published;
  const bool is_kept = message.qos > 0 && (route.kept_remote != 0 || !route.kept.empty());
  if (is_kept || message.retain || !route.groups.empty()) [[unlikely]] {
    published = publish_kept(message, route, threads, forwarded);
  }
  for (auto mask = threads; mask != 0; mask &= mask - 1) {
    const int shard = std::countr_zero(mask);
    Outbox& outbox = *outboxes_[static_cast<std::size_t>(shard)];
    const topic::OwnerMask bit = topic::OwnerMask{1} << shard;
    outbox.send_message(message, forwarded, (published.kept & bit) != 0);
    mail_out_ = true;
    counters_.add(Count::mailed);
    if (outbox.blocked()) {
      behind_ = true;
      if ((published.kept & bit) == 0) published.behind |= bit;
    }
  }
  return published;
}

// Keeps the message here, and adds to `threads` where else it must be kept.
Shard::Published Shard::publish_kept(const message::Message& message, const Route& route,
                                     topic::OwnerMask& threads, const Forwarded* forwarded) {
  const topic::OwnerMask own = topic::OwnerMask{1} << id_;
  topic::OwnerMask keepers = 0;
  if (message.qos > 0) keepers = route.kept_remote | (route.kept.empty() ? 0 : own);
  if (!route.groups.empty()) keepers |= own;
  if (message.retain) {
    const auto slot = partition::slot_of(partition::KeyKind::topic, message.topic);
    keepers |= topic::OwnerMask{1} << owner_of(slot);
  }
  Published published;
  if ((keepers & own) != 0) {
    published.refused = keeper_.keep(message, route, forwarded);
    ++peers_[id_].position;
    peers_[id_].kept_due = true;
  }
  threads |= keepers & ~own;
  // With QoS 0 nobody waits for it.
  if (message.qos > 0) published.kept = keepers;
  return published;
}

int Shard::obligations(const Published& published) {
  return std::popcount(published.behind) + std::popcount(published.kept);
}

void Shard::await(const Published& published, const ConnectionRef& ref, Tickets::Number ticket) {
  for (auto mask = published.behind; mask != 0; mask &= mask - 1) {
    const auto shard = static_cast<std::size_t>(std::countr_zero(mask));
    handovers_[shard].push_back({outboxes_[shard]->sent(), ref, ticket});
  }
  for (auto mask = published.kept; mask != 0; mask &= mask - 1) {
    const auto shard = static_cast<std::size_t>(std::countr_zero(mask));
    const auto position = shard == id_ ? peers_[id_].position : outboxes_[shard]->sent();
    waiting_kept_[shard].push_back({position, ref, ticket, std::nullopt});
  }
}

void Shard::deliver_here(const message::Message& message, const Route& route,
                         const Connection* origin) {
  if (route.targets.empty() && (message.qos > 0 || route.online.empty())) return;
  if (message.expires.ms != 0 && loop_.wall_now() > message.expires) {
    counters_.add(Count::dropped_expired, route.targets.size());
    return;
  }
  work_ += route.targets.size() + 1;
  encoder_.begin(message, loop_.wall_now());
  const auto deliver_to = [&](const std::vector<Target>& targets) {
    for (const Target& target : targets) {
      const Terms& terms = target.connection == origin ? target.own : target.all;
      if (terms.subscriptions == 0) continue;
      target.connection->deliver(
          encoder_, terms,
          std::span(route.identifiers).subspan(target.first_identifier, terms.identifiers),
          target.ruling);
    }
  };
  deliver_to(route.targets);
  // Persistent sessions get what was published with QoS 1 or 2 from their homes, and nothing twice.
  if (message.qos > 0 || route.online.empty()) return;
  deliver_to(route.online);
}

// ---- subscriptions

Shard::Subscribed Shard::subscribe(Connection& connection, std::string_view filter,
                                   topic::Options options) {
  const auto added = index_.add(filter, connection.ref().index, options);
  ++generation_;
  if (!added.replaced) connection.session().filters.push_back(added.filter);
  if (added.first_subscriber) interest_changed(filter, true, false);
  return {added.replaced, added.first_subscriber};
}

bool Shard::unsubscribe(Connection& connection, std::string_view filter) {
  auto* place = index_.find(filter);
  if (place == nullptr) return false;
  const auto removed = index_.remove(*place, connection.ref().index);
  if (!removed.existed) return false;
  ++generation_;
  auto& filters = connection.session().filters;
  const auto it = std::find(filters.begin(), filters.end(), place);
  *it = filters.back();
  filters.pop_back();
  if (removed.last_subscriber) interest_changed(filter, false, false);
  return true;
}

bool Shard::is_subscribed(Connection& connection, std::string_view filter) {
  const auto& filters = connection.session().filters;
  auto* place = index_.find(filter);
  return place != nullptr && std::find(filters.begin(), filters.end(), place) != filters.end();
}

void Shard::unsubscribe_all(Connection& connection) {
  for (auto* filter : connection.session().filters) {
    // The text goes with the filter's last subscriber; others are told by it.
    const std::string text(topic::SubscriptionIndex::text(*filter));
    if (index_.remove(*filter, connection.ref().index).last_subscriber) {
      interest_changed(text, false, false);
    }
    ++generation_;
  }
  connection.session().filters.clear();
}

// ---- interest

std::uint64_t Shard::interest_changed(std::string_view filter, bool wanted, bool kept) {
  note_filter(filter, wanted);
  if (outboxes_.size() == 1) return 0;
  InterestChange change{interest_sent_ + 1, wanted, kept, false, 0, {}};
  if (topic::has_wildcard(filter)) {
    change.wildcard = filter;
  } else if (kept ? keeper_.shares_hash(filter) : index_.shares_hash(filter)) {
    return interest_sent_;  // the others know it under the same hash
  } else {
    change.hash = topic::exact_hash(filter, seed_);
  }
  ++interest_sent_;
  for (std::size_t shard = 0; shard < outboxes_.size(); ++shard) {
    if (shard != id_) send(static_cast<ShardId>(shard), change);
  }
  return interest_sent_;
}

std::uint64_t Shard::interest_barrier() {
  if (outboxes_.size() == 1) return 0;
  const InterestChange barrier{++interest_sent_, false, false, true, 0, {}};
  for (std::size_t shard = 0; shard < outboxes_.size(); ++shard) {
    if (shard != id_) send(static_cast<ShardId>(shard), barrier);
  }
  return interest_sent_;
}

void Shard::handle_interest(ShardId from, const InterestChange& change) {
  peers_[from].ack_due = {change.sequence, next_message_id_};
  acks_due_ = true;
  if (change.barrier) return;
  const auto owner = static_cast<topic::OwnerId>(from + (change.kept ? limits::shards_max : 0));
  if (!change.wildcard.empty()) {
    change.wanted ? interest_.add_wildcard(change.wildcard, owner)
                  : interest_.remove_wildcard(change.wildcard, owner);
  } else {
    change.wanted ? interest_.add_exact(change.hash, owner)
                  : interest_.remove_exact(change.hash, owner);
  }
  ++generation_;
}

void Shard::ready_interest_acks() {
  if (!acks_due_) return;
  acks_due_ = false;
  acks_ready_ = true;
  for (Peer& peer : peers_) {
    if (peer.ack_due.sequence != 0) peer.ack_ready = std::exchange(peer.ack_due, {});
  }
}

void Shard::send_interest_acks() {
  if (!acks_ready_ || behind_) return;
  acks_ready_ = false;
  for (std::size_t shard = 0; shard < peers_.size(); ++shard) {
    InterestAck& ready = peers_[shard].ack_ready;
    if (ready.sequence != 0) send(static_cast<ShardId>(shard), std::exchange(ready, {}));
  }
}

void Shard::handle_interest_ack(ShardId from, const InterestAck& ack) {
  Peer& peer = peers_[from];
  peer.interest_acked = ack.sequence;
  peer.acked_at = ack.next_message;
  peer.live_from.emplace_back(ack.sequence, ack.next_message);
  if (peer.live_from.size() > limits::interest_acks_remembered) peer.live_from.pop_front();
  release_waiting();
}

std::vector<std::uint64_t> Shard::seen() const {
  std::vector<std::uint64_t> seen(peers_.size());
  for (std::size_t shard = 0; shard < peers_.size(); ++shard) {
    const Peer& peer = peers_[shard];
    if (shard == id_) {
      seen[shard] = next_message_id_;
    } else if (peer.interest_acked == interest_sent_) {
      // Of what was published before the last acknowledgement all that is wanted has come.
      seen[shard] = std::max(peer.seen, peer.acked_at);
    }
  }
  return seen;
}

void Shard::complete(std::vector<std::uint64_t>& seen, std::uint64_t sequence) const {
  const std::vector<std::uint64_t> live = live_from(sequence, 0);
  for (std::size_t shard = 0; shard < seen.size(); ++shard)
    if (seen[shard] == 0) seen[shard] = live[shard];
}

std::vector<std::uint64_t> Shard::live_from(std::uint64_t sequence, std::uint64_t own) const {
  std::vector<std::uint64_t> from(peers_.size());
  for (std::size_t shard = 0; shard < peers_.size(); ++shard) {
    const auto& known = peers_[shard].live_from;
    const auto it = std::lower_bound(known.begin(), known.end(), std::pair(sequence, 0UL));
    from[shard] = it == known.end() ? peers_[shard].seen : it->second;
  }
  from[id_] = own;
  return from;
}

// The interest of a share group, beside that of the connections here: with QoS 0 too.
void Shard::share_interest(std::string_view filter, std::uint32_t group, bool wanted) {
  const bool changed = wanted ? index_.add(filter, group, {}).first_subscriber
                              : index_.remove(filter, group).last_subscriber;
  ++generation_;
  if (changed) interest_changed(filter, wanted, false);
}

void Shard::suback(Connection& connection, Replay replay, std::vector<ShareJoin> joins) {
  if (!joins.empty()) {
    return send_joins(std::move(joins), WaitingSuback{connection.ref(), std::move(replay)});
  }
  if (!replay.filters.empty()) replay.interest = interest_barrier();
  waiting_.push_back({interest_sent_, WaitingSuback{connection.ref(), std::move(replay)}});
  release_waiting();
}

void Shard::await_interest(Connection& connection) {
  waiting_.push_back({interest_sent_, WaitingOpen{connection.ref()}});
  release_waiting();
}

void Shard::answer(ShardId to, Change change) {
  waiting_.push_back({interest_sent_, WaitingAnswer{to, std::move(change)}});
  release_waiting();
}

void Shard::release_waiting() {
  std::uint64_t taken = interest_sent_;
  for (std::size_t shard = 0; shard < peers_.size(); ++shard) {
    if (shard != id_) taken = std::min(taken, peers_[shard].interest_acked);
  }
  while (!waiting_.empty() && waiting_.front().sequence <= taken) {
    Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto* answer = std::get_if<WaitingAnswer>(&waiting.what)) {
      answer->change.answered = true;
      complete(answer->change.seen, waiting.sequence);
      answer->change.live_from = live_from(answer->change.interest, answer->change.seen[id_]);
      send(answer->to, std::move(answer->change));
    } else if (auto* suback = std::get_if<WaitingSuback>(&waiting.what)) {
      Connection* connection = find(suback->connection);
      if (connection != nullptr && connection->established()) {
        connection->replay(std::move(suback->replay));
      }
    } else if (auto* joined = std::get_if<WaitingJoined>(&waiting.what)) {
      send(joined->to, std::move(joined->joined));
    } else if (auto* connection = find(std::get<WaitingOpen>(waiting.what).connection)) {
      connection->open_session();
    }
  }
}

}  // namespace gnomon::broker
