// Shard: what it does for its keeper, and what it hears from those of others.
#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/queue_page.h"
#include "broker/shard.h"

namespace gnomon::broker {

std::uint64_t Shard::interest_changed(std::string_view filter, bool wanted) {
  ++generation_;
  return interest_changed(filter, wanted, true);
}

void Shard::deliver(const ConnectionRef& to, const Delivery& delivery) {
  if (to.shard == id_) {
    if (Connection* connection = find(to)) {
      connection->deliver_kept(delivery);
    } else {
      give_back(to, delivery);
    }
    return;
  }
  append_delivery(to, delivery, outboxes_[to.shard]->delivery());
  mail_out_ = true;
}

bool Shard::forward(const message::Message& given, const Forwarded& forwarded) {
  message::Message message = given;
  message.id = next_message_id_++;
  const Published published = publish(message, route(message.topic), nullptr, &forwarded);
  int left = 0;
  for (std::size_t shard = 0; shard < peers_.size(); ++shard) {
    if ((published.kept >> shard & 1U) == 0) continue;
    const auto position = shard == id_ ? peers_[id_].position : outboxes_[shard]->sent();
    waiting_kept_[shard].push_back({position, {}, 0, forwarded});
    ++left;
  }
  if (left > 0) forwards_left_[{forwarded.slot.value, forwarded.sequence}] = left;
  return left == 0;
}

// The positions of the lanes from which something was kept: told when that is durable.
void Shard::report_lanes() {
  for (std::size_t shard = 0; shard < peers_.size(); ++shard) {
    Peer& peer = peers_[shard];
    if (!peer.kept_due) continue;
    peer.kept_due = false;
    keeper_.taken(static_cast<ShardId>(shard), peer.position, std::exchange(peer.refused, {}));
  }
}

void Shard::handle_kept(ShardId from, const Kept& kept) {
  auto& waiting = waiting_kept_[from];
  auto refused = kept.refused.begin();
  while (!waiting.empty() && waiting.front().position <= kept.position) {
    const WaitingKept met = waiting.front();
    waiting.pop_front();
    if (met.forwarded) {
      const auto left = forwards_left_.find({met.forwarded->slot.value, met.forwarded->sequence});
      if (--left->second > 0) continue;
      forwards_left_.erase(left);
      keeper_.forwarded(*met.forwarded);
      continue;
    }
    while (refused != kept.refused.end() && refused->position < met.position) ++refused;
    const bool no = refused != kept.refused.end() && refused->position == met.position;
    settle(met.connection, met.ticket, no ? refused->reason : mqtt::Reason::success);
  }
}

// ---- acknowledgements

void Shard::acknowledge(const Acks::Item& item) { acks_[item.session.home].items.push_back(item); }

void Shard::acknowledge(const Acks::Shared& shared) {
  acks_[shared.share.home].shared.push_back(shared);
}

void Shard::flush_acks(ShardId to) {
  if (acks_.empty() || (acks_[to].items.empty() && acks_[to].shared.empty())) return;
  send(to, std::exchange(acks_[to], {}));
}

// ---- share groups

// What was given with QoS 2 and not sent; the group has kept the rest.
void Shard::give_back(const ConnectionRef& to, const Delivery& delivery) {
  if (delivery.kind != Delivery::Kind::shared || delivery.qos < 2) return;
  ShareReturn back{delivery.share, to, {}};
  message::encode(*delivery.message, back.message);
  send(delivery.share.home, std::move(back));
}

void Shard::answer(ShardId to, ShareJoined joined) {
  waiting_.push_back({interest_sent_, WaitingJoined{to, std::move(joined)}});
  release_waiting();
}

void Shard::join(std::vector<ShareJoin> joins, ShardId to, Change change) {
  send_joins(std::move(joins), WaitingAnswer{to, std::move(change)});
}

void Shard::send_joins(std::vector<ShareJoin> joins,
                       std::variant<WaitingSuback, WaitingAnswer> what) {
  const std::uint64_t request = next_request_++;
  joining_.emplace(request, Joining{joins.size(), std::move(what)});
  for (ShareJoin& join : joins) {
    join.from = id_;
    join.answer = request;
    const std::string filter = join.filter;
    send_group(filter, std::move(join));
  }
}

void Shard::refuse_member(WaitingSuback& waiting, const ShareJoined& joined) {
  waiting.replay.ack.reasons[joined.entry] = mqtt::Reason::quota_exceeded;
  Connection* connection = find(waiting.connection);
  if (connection && connection->established()) connection->group_refused(joined.refused);
}

void Shard::handle_joined(const ShareJoined& joined) {
  const auto at = joining_.find(joined.answer);
  if (!joined.refused.empty()) {
    if (auto* answer = std::get_if<WaitingAnswer>(&at->second.what)) {
      keeper_.refuse(answer->change, joined.entry);
    } else {
      refuse_member(std::get<WaitingSuback>(at->second.what), joined);
    }
  }
  if (--at->second.left > 0) return;
  auto what = std::move(at->second.what);
  joining_.erase(at);
  if (auto* answer = std::get_if<WaitingAnswer>(&what)) {
    return keeper_.joined(answer->to, std::move(answer->change));
  }
  auto& waiting = std::get<WaitingSuback>(what);
  if (Connection* connection = find(waiting.connection); connection && connection->established()) {
    suback(*connection, std::move(waiting.replay));
  }
}

// ---- the pool

void Shard::read_page(const PageRequest& request) {
  pool_.run([this, request] {
    Page page;
    page.of = request.of;
    page.index = request.index;
    page.number = request.number;
    page.request = request.request;
    page.read_to = request.to;
    page.written = store_.applied();
    const bool bodies = request.of == Page::Of::session;
    read_queue(store_, request.table, request.slot, request.number, request.from, request.to,
               request.bytes, bodies, page);
    std::vector<Envelope> letter;
    letter.push_back({id_, std::move(page)});
    mailbox_.push(letter);
  });
}

void Shard::read_retained(const RetainedRequest& request) {
  pool_.run([this, request] {
    RetainedPage page;
    page.connection = request.connection;
    page.request = request.request;
    page.from = id_;
    const int owners = static_cast<int>(peers_.size());
    if (auto read = broker::read_retained(store_, request, id_, owners, page); !read) {
      broken(read.error());
      page.filter = request.filters->size();
    }
    std::vector<Envelope> letter;
    letter.push_back({id_, std::move(page)});
    mailboxes_[request.connection.shard]->push(letter);
  });
}

void Shard::broken(const Error& error) {
  if (on_broken_) on_broken_(error);
}

// ---- time

void Shard::arm_expiry() {
  const WallTime next = keeper_.next_deadline();
  if (next.ms == 0) return expiry_.disarm();
  if (expiry_.armed() && expiry_.armed_for == next) return;
  // The wall clock may be set: never sleep long on what it says now.
  constexpr std::chrono::milliseconds longest{60'000};
  const std::chrono::milliseconds left{std::max<std::int64_t>(1, next.ms - loop_.wall_now().ms)};
  expiry_.armed_for = next;
  loop_.timers().arm(expiry_, loop_.now() + std::min(left, longest));
}

void Shard::arm_pace() {
  const std::optional<Instant> next = keeper_.next_wake();
  if (!next) return pace_.disarm();
  if (pace_.armed() && pace_.armed_for == *next) return;
  pace_.armed_for = *next;
  loop_.timers().arm(pace_, *next);
}

void Shard::Expiry::on_timer() { shard_.keeper_.expire(); }

}  // namespace gnomon::broker
