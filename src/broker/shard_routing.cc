// Shard: where messages go.
#include <algorithm>
#include <bit>
#include <utility>

#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

// ---- routes

Route& Shard::route(std::string_view topic) {
  Route& route = routes_.find(topic);
  if (route.generation != generation_) refresh(route);
  return route;
}

void Shard::refresh(Route& route) {
  matched_.clear();
  index_.match(route.topic, matched_);
  const auto by_subscriber = [](const auto& a, const auto& b) {
    return a.subscriber < b.subscriber;
  };
  if (!std::is_sorted(matched_.begin(), matched_.end(), by_subscriber)) {
    std::sort(matched_.begin(), matched_.end(), by_subscriber);
  }
  route.targets.clear();
  route.identifiers.clear();
  for (auto first = matched_.begin(); first != matched_.end();) {
    const auto last = std::upper_bound(first, matched_.end(), *first, by_subscriber);
    Target& target =
        route.targets.emplace_back(Target{places_[first->subscriber].connection.get(),
                                          static_cast<std::uint32_t>(route.identifiers.size()),
                                          {},
                                          {}});
    for (const bool no_local : {false, true}) {
      for (auto each = first; each != last; ++each) {
        if ((each->options.no_local != 0) != no_local) continue;
        target.all.add(each->options);
        if (each->options.identifier != 0) route.identifiers.push_back(each->options.identifier);
      }
      if (!no_local) target.own = target.all;
    }
    first = last;
  }
  route.remote = outboxes_.size() > 1 ? interest_.match(route.topic) : 0;
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

int Shard::publish(const message::Message& message, Route& route, const Connection* origin) {
  if (!route.targets.empty()) deliver_here(message, route, origin);
  int behind = 0;
  for (auto mask = route.remote; mask != 0; mask &= mask - 1) {
    Outbox& outbox = *outboxes_[static_cast<std::size_t>(std::countr_zero(mask))];
    outbox.send_message(message);
    mail_out_ = true;
    counters_.add(Count::mailed);
    if (outbox.blocked()) {
      behind_ = true;
      ++behind;
    }
  }
  return behind;
}

void Shard::deliver_here(const message::Message& message, const Route& route,
                         const Connection* origin) {
  if (message.expires.ms != 0 && loop_.wall_now() > message.expires) {
    counters_.add(Count::dropped_expired, route.targets.size());
    return;
  }
  encoder_.begin(message, loop_.wall_now());
  for (const Target& target : route.targets) {
    const Target::Terms& terms = target.connection == origin ? target.own : target.all;
    if (terms.subscriptions == 0) continue;
    target.connection->deliver(
        encoder_, terms,
        std::span(route.identifiers).subspan(target.first_identifier, terms.identifiers));
  }
}

void Shard::await_handover(const Route& route, const ConnectionRef& ref, Tickets::Number ticket) {
  for (auto mask = route.remote; mask != 0; mask &= mask - 1) {
    const auto shard = static_cast<std::size_t>(std::countr_zero(mask));
    if (outboxes_[shard]->blocked()) {
      handovers_[shard].push_back({outboxes_[shard]->sent(), ref, ticket});
    }
  }
}

// ---- subscriptions

void Shard::subscribe(Connection& connection, std::string_view filter, topic::Options options) {
  const auto added = index_.add(filter, connection.ref().index, options);
  ++generation_;
  if (!added.replaced) connection.session().filters.push_back(added.filter);
  if (added.first_subscriber) interest_changed(filter, true);
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
  if (removed.last_subscriber) interest_changed(filter, false);
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
      interest_changed(text, false);
    }
    ++generation_;
  }
  connection.session().filters.clear();
}

// ---- interest

void Shard::interest_changed(std::string_view filter, bool wanted) {
  if (outboxes_.size() == 1) return;
  InterestChange change{++interest_sent_, wanted, 0, {}};
  if (topic::has_wildcard(filter)) {
    change.wildcard = filter;
  } else if (!index_.shares_hash(filter)) {
    change.hash = topic::exact_hash(filter, seed_);
  } else {
    --interest_sent_;
    return;
  }
  for (std::size_t shard = 0; shard < outboxes_.size(); ++shard) {
    if (shard != id_) send(static_cast<ShardId>(shard), change);
  }
}

void Shard::handle_interest(ShardId from, const InterestChange& change) {
  if (!change.wildcard.empty()) {
    change.wanted ? interest_.add_wildcard(change.wildcard, from)
                  : interest_.remove_wildcard(change.wildcard, from);
  } else {
    change.wanted ? interest_.add_exact(change.hash, from)
                  : interest_.remove_exact(change.hash, from);
  }
  ++generation_;
  ack_due_[from] = change.sequence;
}

void Shard::suback(Connection& connection, const mqtt::SubscribeAck& ack) {
  waiting_subacks_.push_back({interest_sent_, connection.ref(), ack});
  release_subacks();
}

void Shard::release_subacks() {
  std::uint64_t taken = interest_sent_;
  for (std::size_t shard = 0; shard < interest_acked_.size(); ++shard) {
    if (shard != id_) taken = std::min(taken, interest_acked_[shard]);
  }
  while (!waiting_subacks_.empty() && waiting_subacks_.front().sequence <= taken) {
    const WaitingSuback waiting = std::move(waiting_subacks_.front());
    waiting_subacks_.pop_front();
    Connection* connection = find(waiting.connection);
    if (connection != nullptr && connection->established()) connection->suback(waiting.ack);
  }
}

}  // namespace gnomon::broker
