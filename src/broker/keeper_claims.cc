// Keeper: who holds a client id; sessions, wills, and what becomes due.
#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "broker/keeper.h"

namespace gnomon::broker {

using partition::SlotId;
using records::Table;

namespace {
// Of a session with more, the subscriptions are erased from the store as a range: 100,000 one by
// one hold the thread for a third of a second. Not of all, as each range makes reading slower.
constexpr std::size_t erased_singly_max = 64;

SlotId slot_of_client(const std::string& client_id) {
  return partition::slot_of(partition::KeyKind::client_id, client_id);
}
}  // namespace

// ---- claims

// How often one client id may connect. What is remembered is bounded: who is forgotten may at once.
bool Keeper::claim_rate_allows(const std::string& client_id) {
  const int rate = profile_.rates.connects_per_client;
  if (rate == 0) return true;
  if (claim_rates_.size() >= limits::rates_remembered_max) claim_rates_.clear();
  return claim_rates_[client_id].take(host_.now(), rate);
}

void Keeper::handle(Claim& claim) {
  const std::string client_id = claim.client_id;
  if (!claim_rate_allows(client_id)) {
    return host_.send(claim.connection.shard, Deny{claim.connection, mqtt::Reason::quota_exceeded});
  }
  slot(slot_of_client(client_id)).home.claim(client_id, claim.connection, effects_);
  claim_effects(client_id, &claim);
}

// What home has decided. A claim that must wait is kept; a newer one replaces it.
void Keeper::claim_effects(const std::string& client_id, Claim* claim) {
  for (Addressed& effect : std::exchange(effects_, {})) {
    auto* granted = std::get_if<Grant>(&effect.mail);
    if (granted == nullptr) {
      host_.send(effect.to, std::move(effect.mail));
    } else if (claim != nullptr) {
      grant(*claim, std::move(*granted));
      claim = nullptr;
    } else if (auto waiting = waiting_claims_.find(client_id); waiting != waiting_claims_.end()) {
      Claim taken = std::move(waiting->second);
      waiting_claims_.erase(waiting);
      grant(taken, std::move(*granted));
    }
  }
  if (claim != nullptr) waiting_claims_.insert_or_assign(client_id, std::move(*claim));
}

void Keeper::grant(Claim& claim, Grant grant) {
  const SlotId id = slot_of_client(claim.client_id);
  expire_session(claim.client_id, host_.wall_now());  // the timer may come later than the client
  const auto known = by_client_.find(claim.client_id);
  Session* session = known == by_client_.end() ? nullptr : sessions_[known->second].get();
  // What is erased here must not be back after a crash either, once CONNACK has said so.
  bool erases = wills_.contains(claim.client_id);
  if (session != nullptr && claim.clean_start) {
    erases = true;
    end_session(*session);
    session = nullptr;
  }
  // Nothing new that must survive can be promised while the disk is full. A session that is there
  // may be taken up: to empty its queue makes room.
  const bool wants_store = claim.expiry_seconds > 0 || !claim.will.empty();
  const bool adds = (claim.expiry_seconds > 0 && session == nullptr) || !claim.will.empty();
  if (adds && !store_.accepting()) {
    host_.send(grant.connection.shard, Deny{grant.connection, mqtt::Reason::quota_exceeded});
    slot(id).home.release(claim.client_id, grant.connection, effects_);
    return claim_effects(claim.client_id, nullptr);
  }
  grant.session_present = session != nullptr;
  leave_will(claim, grant);
  number_connection(claim, wants_store || session != nullptr);
  if (session == nullptr && claim.expiry_seconds > 0) session = &make_session(claim, id);
  if (session != nullptr) {
    session->connection = grant.connection;
    session->generation = grant.generation;
    session->receive_maximum = claim.receive_maximum;
    session->expiry_seconds = claim.expiry_seconds;
    if (std::exchange(session->gone, {}).ms != 0) --away_;
    write_session(*session);
    grant.kept = std::make_unique<KeptGrant>();
    grant.kept->session = by_client_.at(claim.client_id);
    for (const Subscribed& each : session->filters) {
      grant.kept->subscriptions.emplace_back(topic::SubscriptionIndex::text(*each.filter),
                                             each.options);
    }
    for (const SharedFilter& each : session->shares) grant.kept->shares.push_back(each.filter);
  }
  const ShardId to = grant.connection.shard;
  if (wants_store || erases || session != nullptr) {
    return after(Addressed{to, std::move(grant)});
  }
  host_.send(to, std::move(grant));
}

void Keeper::handle(const Release& release) {
  const SlotId id = slot_of_client(release.client_id);
  Home& home = slot(id).home;
  const auto* holder = home.holder(release.client_id);
  if (holder == nullptr || !(*holder == release.connection)) return;
  const bool clean = dismissed(release);
  std::uint32_t expiry = 0;
  if (const auto known = by_client_.find(release.client_id); known != by_client_.end()) {
    Session& session = *sessions_[known->second];
    if (release.expiry_seconds) session.expiry_seconds = *release.expiry_seconds;
    if (clean) session.expiry_seconds = 0;
    expiry = session.expiry_seconds;
    session.open = false;
    session.permissions.reset();
    session.page_request = 0;
    session.out.disconnected();
    session.from_groups.reset();
    session.drain.reset();
    if (expiry > 0) leave_groups(session, false);
    session.gone = host_.wall_now();
    ++away_;
    will_of(release.client_id, release, expiry);
    if (expiry == 0) {
      end_session(session);
    } else {
      write_session(session);
      schedule(end_of(session), release.client_id);
    }
  } else {
    will_of(release.client_id, release, 0);
  }
  ended(release);
  home.release(release.client_id, release.connection, effects_);
  claim_effects(release.client_id, nullptr);
}

// ---- sessions

Keeper::Session& Keeper::make_session(const Claim& claim, SlotId id) {
  std::uint32_t index = 0;
  if (free_sessions_.empty()) {
    index = static_cast<std::uint32_t>(sessions_.size());
    sessions_.push_back(std::make_unique<Session>(budget_));
  } else {
    index = free_sessions_.back();
    free_sessions_.pop_back();
  }
  Session& session = *sessions_[index];
  session.client_id = claim.client_id;
  session.slot = id;
  session.number = number(slot(id));
  by_client_.emplace(claim.client_id, index);
  return session;
}

void Keeper::write_session(const Session& session) {
  write(
      records::key(Table::session, session.slot, session.client_id),
      records::Session{session.number, session.expiry_seconds, session.gone, session.out.sent_to()}
          .write());
}

// First the id goes, with the rest that is small; its queue and its place in the index follow in
// slices.
void Keeper::end_session(Session& session) {
  const std::uint32_t index = by_client_.at(session.client_id);
  if (session.gone.ms != 0) --away_;
  erase(records::key(Table::session, session.slot, session.client_id));
  const bool as_range = session.filters.size() > erased_singly_max;
  if (as_range) {
    std::string begin = records::key(Table::subscription, session.slot, session.number);
    std::string end = records::behind(begin);
    committer_.batch().operations.emplace_back(store::EraseRange{std::move(begin), std::move(end)});
  } else {
    for (const Subscribed& each : session.filters) {
      erase(records::key(Table::subscription, session.slot, session.number,
                         topic::SubscriptionIndex::text(*each.filter)));
    }
  }
  if (!session.filters.empty()) host_.changed();
  for (const std::uint16_t packet_id : session.received) {
    erase(records::key(Table::received, session.slot, session.number, packet_id));
  }
  leave_groups(session, true);
  session.out.disconnected();
  if (session.out.count() > 0) {
    queued_ -= session.out.count();
    purges_.push_back(
        {Table::queue, session.slot, session.number, session.out.loaded(), session.out.next()});
    purge_next();
  }
  // A will that waits for its delay is due when the session ends (MQTT 5 §3.1.3.2.2).
  if (const auto will = wills_.find(session.client_id);
      will != wills_.end() && will->second.due.ms != 0 && !will->second.grace) {
    publish_will(session.client_id, will->second);
    wills_.erase(will);
  }
  by_client_.erase(session.client_id);
  ended_.push_back({index, std::move(session.filters)});
  session = Session(budget_);
}

// Its place is not given out again before it is out of the index.
void Keeper::drop_filters() {
  for (int most = limits::filters_dropped_per_turn; !ended_.empty(); ended_.pop_front()) {
    auto& [index, filters] = ended_.front();
    for (; !filters.empty(); filters.pop_back()) {
      if (most-- == 0) return;
      const std::string text(topic::SubscriptionIndex::text(*filters.back().filter));
      if (!index_.remove(*filters.back().filter, index).last_subscriber) continue;
      host_.interest_changed(text, false);
    }
    free_sessions_.push_back(index);
  }
}

// ---- wills

// The will of a connection that is about to be granted, and what becomes of an earlier one whose
// delay has not passed: the client is back, so it is not published (MQTT 5 §3.1.3.2.2).
void Keeper::leave_will(const Claim& claim, const Grant& grant) {
  const SlotId id = slot_of_client(claim.client_id);
  if (const auto earlier = wills_.find(claim.client_id); earlier != wills_.end()) {
    erase(records::key(Table::will, id, claim.client_id));
    wills_.erase(earlier);
  }
  if (claim.will.empty()) return;
  records::Will will;
  will.read(claim.will);
  will.generation = grant.generation;
  write(records::key(Table::will, id, claim.client_id), will.write());
  wills_.insert_or_assign(claim.client_id, std::move(will));
}

// The connection that left a will has ended.
void Keeper::will_of(const std::string& client_id, const Release& release, std::uint32_t expiry) {
  const auto it = wills_.find(client_id);
  if (it == wills_.end()) return;
  records::Will& will = it->second;
  const std::string key = records::key(Table::will, slot_of_client(client_id), client_id);
  const std::uint32_t delay = std::min(will.delay_seconds, expiry);
  if (release.publish_will && delay > 0) {
    will.due = host_.wall_now() + std::chrono::seconds(std::int64_t{delay});
    write(key, will.write());
    return schedule(will.due, client_id);
  }
  if (release.publish_will) {
    publish_will(client_id, will);
  } else {
    erase(key);
  }
  wills_.erase(it);
}

// With QoS ≥ 1 or retain its publication is a promise: written in the batch that erases the record,
// so it happens once, a crash in between or not.
void Keeper::publish_will(const std::string& client_id, const records::Will& will) {
  const SlotId id = slot_of_client(client_id);
  erase(records::key(Table::will, id, client_id));
  auto decoded = message::decode(as_bytes(will.message));
  message::Message& message = decoded->message;
  message.origin.client_id = client_id;
  message.origin.generation = will.generation;
  message.received = host_.wall_now();
  if (will.expiry_seconds) {
    message.expires = message.received + std::chrono::seconds(std::int64_t{*will.expiry_seconds});
  }
  counters_.add(Count::wills_published);
  if (message.qos == 0 && !message.retain) return host_.publish(message);
  encoded_.clear();
  message::encode(message, encoded_);
  const Forwarded forwarded{id, number(slot(id))};
  std::string text(as_text(encoded_.view()));
  write(records::key(Table::forward, id, forwarded.sequence), text);
  forwards_.push_back({forwarded, std::move(text), nullptr});
}

void Keeper::forwarded(const Forwarded& forwarded) {
  erase(records::key(Table::forward, forwarded.slot, forwarded.sequence));
}

// ---- time

WallTime Keeper::end_of(const Session& session) {
  if (session.expiry_seconds == limits::session_expiry_never) return WallTime::never();
  return session.gone + std::chrono::seconds(std::int64_t{session.expiry_seconds});
}

void Keeper::schedule(WallTime at, const std::string& client_id) {
  if (at == WallTime::never()) return;
  deadlines_.push_back({at, client_id});
  std::push_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
}

// A deadline only says when to look: what is due is decided from the session and the will.
void Keeper::expire() {
  const WallTime now = host_.wall_now();
  for (int most = limits::expiries_per_turn; most > 0 && !deadlines_.empty(); --most) {
    if (deadlines_.front().at > now) return;
    std::pop_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
    const std::string client_id = std::move(deadlines_.back().client_id);
    deadlines_.pop_back();
    expire_session(client_id, now);
    tell_left_open(client_id, now);
    if (const auto will = wills_.find(client_id);
        will != wills_.end() && will->second.due.ms != 0 && will->second.due <= now) {
      publish_will(client_id, will->second);
      wills_.erase(will);
    }
  }
}

void Keeper::expire_session(const std::string& client_id, WallTime now) {
  const auto known = by_client_.find(client_id);
  if (known == by_client_.end()) return;
  Session& session = *sessions_[known->second];
  if (session.gone.ms == 0 || end_of(session) > now) return;
  counters_.add(Count::sessions_expired);
  end_session(session);
}

}  // namespace gnomon::broker
