// Keeper: turns, retained messages, subscriptions. Claims, wills and expiry are in
// keeper_claims.cc, who is connected in keeper_presence.cc, queues in keeper_queue.cc, starting in
// keeper_load.cc.
#include "broker/keeper.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/limits.h"
#include "topic/interest.h"
#include "topic/topic.h"

namespace gnomon::broker {

using mqtt::Reason;
using partition::SlotId;
using records::Table;

namespace {
// Numbers are never given out twice over runs: the run is their upper part.
constexpr int run_shift = 40;
// The same for the version numbers of connections, which are to stay small.
constexpr int version_shift = 20;
}  // namespace

Keeper::Keeper(const Setup& setup)
    : id_(setup.id),
      threads_(setup.threads),
      run_(setup.run),
      seed_(setup.seed),
      profile_(setup.profile),
      store_(setup.store),
      host_(setup.host),
      counters_(setup.counters),
      random_(setup.random),
      observer_(setup.observer),
      budget_(setup.profile.held_bytes_max / 4 / static_cast<unsigned>(setup.threads)),
      index_(setup.seed, setup.profile.hash_matches_parent),
      versions_((setup.run - 1) << version_shift),
      committer_(setup.store) {}

Keeper::~Keeper() = default;

Keeper::Slot& Keeper::slot(SlotId id) {
  auto& slot = slots_[id.value];
  if (slot == nullptr) {
    slot = std::make_unique<Slot>();
    slot->home.begin_at(run_ << run_shift);
  }
  return *slot;
}

std::uint64_t Keeper::number(Slot& slot) { return (run_ << run_shift) + ++slot.counter; }

void Keeper::write(std::string key, std::string value) {
  committer_.batch().operations.emplace_back(store::Put{std::move(key), std::move(value)});
}

void Keeper::erase(std::string key) {
  committer_.batch().operations.emplace_back(store::Erase{std::move(key)});
}

// ---- turns

void Keeper::commit() {
  drop_filters();
  if (!committer_.idle()) {
    auto committed = committer_.commit(ready_, failed_);
    if (!committed) {
      // Nothing was written and nothing of it is acknowledged; nor is anything later.
      failed_.clear();
      forwards_.clear();
      return host_.broken(committed.error());
    }
    for (const std::uint32_t index : std::exchange(unwritten_, {})) {
      Session& session = *sessions_[index];
      if (session.out.written(committer_.applied())) pump(session);
    }
    for (Outcome& outcome : std::exchange(ready_, {})) release(std::move(outcome));
    pass_on();
  }
  look();
  read();
}

// Only behind commit(): what is read must have been applied.
void Keeper::read() {
  for (const auto& request : std::exchange(pages_, {})) host_.read_page(request);
  for (RetainedRequest& request : std::exchange(retained_reads_, {})) {
    if (may_retain(request)) {
      host_.read_retained(request);
      continue;
    }
    RetainedPage nothing;
    nothing.connection = request.connection;
    nothing.request = request.request;
    nothing.from = id_;
    nothing.filter = request.filters->size();
    host_.send(request.connection.shard, std::move(nothing));
  }
}

// What was promised is written, so it may go: what its receivers write of it comes behind it in the
// log, and cannot survive without it.
void Keeper::pass_on() {
  for (Forward& forward : std::exchange(forwards_, {})) {
    if (forward.hand) {
      // What this slot passes on must arrive in the order of its sequences, here too.
      const auto to = partition::slot_of(partition::KeyKind::client_id, forward.hand->client_id);
      if (owns(to)) {
        handle(*forward.hand);
      } else {
        host_.send(owner_of(to), std::move(*forward.hand));
      }
      continue;
    }
    const auto decoded = message::decode(as_bytes(forward.message));
    if (host_.forward(decoded->message, forward.forwarded)) forwarded(forward.forwarded);
  }
}

void Keeper::look() {
  const store::Sequence durable = looked_ = store_.durable();
  committer_.durable(durable, ready_);
  for (Outcome& outcome : std::exchange(ready_, {})) release(std::move(outcome));
  while (!waiting_pumps_.empty() && waiting_pumps_.front().sequence <= durable) {
    Session& session = *sessions_[waiting_pumps_.front().session];
    waiting_pumps_.pop_front();
    session.waits_for_sync = false;
    if (session.number != 0) pump(session);
  }
  // Not up to applied(): for an erased entry nobody waits, and a sync of its own would keep the
  // next message waiting for two. A page's messages may wait for what others have applied.
  const store::Sequence wanted = std::max(committer_.waits_for(), wanted_);
  if (!waits() || requested_ >= wanted) return;
  requested_ = wanted;
  host_.request_sync();
}

void Keeper::release(Outcome&& outcome) {
  if (auto* mail = std::get_if<Addressed>(&outcome)) {
    host_.send(mail->to, std::move(mail->mail));
  } else if (auto* answer = std::get_if<Answer>(&outcome)) {
    host_.answer(answer->to, std::move(answer->change));
  } else if (auto* joined = std::get_if<Joined>(&outcome)) {
    host_.answer(joined->to, std::move(joined->joined));
  } else if (const auto* given = std::get_if<Given>(&outcome)) {
    release(*given);
  } else if (const auto* told = std::get_if<Told>(&outcome)) {
    told->told(told->found);
  } else {
    const Reply& reply = std::get<Reply>(outcome);
    host_.deliver(reply.to, reply.delivery);
  }
}

void Keeper::wake_at(const Wake& wake) {
  wakes_.push_back(wake);
  std::push_heap(wakes_.begin(), wakes_.end(), std::greater<>());
}

void Keeper::wake() {
  const Instant now = host_.now();
  while (!wakes_.empty() && wakes_.front().at <= now) {
    std::pop_heap(wakes_.begin(), wakes_.end(), std::greater<>());
    const Wake due = wakes_.back();
    wakes_.pop_back();
    if (due.group) {
      Group& group = *groups_[due.index];
      if (group.number != due.number) continue;
      group.waits = false;
      pump(group);
      continue;
    }
    Session& session = *sessions_[due.index];
    if (session.number != due.number || !session.drain) continue;
    session.drain->waits = false;
    pump(session);
  }
}

void Keeper::taken(ShardId from, std::uint64_t position, std::vector<Kept::Refused> refused) {
  after(Addressed{from, Kept{position, std::move(refused)}});
}

// ---- retained

// `encoded_` holds the message.
Reason Keeper::retain(const message::Message& message, SlotId id, bool promised) {
  std::string key = records::key(Table::retained, id, message.topic);
  if (message.payload.empty()) {
    erase(std::move(key));
    retained_.erase(topic::exact_hash(message.topic, seed_));
    return Reason::success;
  }
  // What was promised to its publisher is taken all the same.
  if (!promised && (!store_.accepting() || !has_retained_room(message.topic))) {
    counters_.add(store_.accepting() ? Count::queue_refused_full : Count::queue_refused_disk);
    return Reason::quota_exceeded;
  }
  slot(id).retains = true;
  note_retained(message.topic);
  write(std::move(key), records::Retained{run_, as_text(encoded_.view())}.write());
  counters_.add(Count::retained_stored);
  return Reason::success;
}

// Keepers share the server's number evenly, as their slots share the topics. A value may always be
// replaced.
bool Keeper::has_retained_room(std::string_view topic) const {
  const std::uint64_t most = profile_.retained_messages_max;
  if (most == 0) return true;
  const auto share = std::max<std::uint64_t>(1, most / static_cast<unsigned>(threads_));
  return retained_.size() < share || retained_.contains(topic::exact_hash(topic, seed_));
}

void Keeper::note_retained(std::string_view topic) {
  if (profile_.retained_messages_max != 0) retained_.insert(topic::exact_hash(topic, seed_));
}

void Keeper::handle(RetainedRequest& request) { retained_reads_.push_back(std::move(request)); }

bool Keeper::may_retain(const RetainedRequest& request) const {
  const auto retains = [this](SlotId id) {
    return owns(id) && slots_[id.value] != nullptr && slots_[id.value]->retains;
  };
  for (const std::string& filter : *request.filters) {
    if (!topic::has_wildcard(filter)) {
      if (retains(partition::slot_of(partition::KeyKind::topic, filter))) return true;
      continue;
    }
    for (int id = id_; id < partition::slots; id += threads_) {
      if (retains(SlotId(static_cast<std::uint8_t>(id)))) return true;
    }
  }
  return false;
}

// ---- subscriptions

void Keeper::handle(Change& change) {
  Session* session = find(change.session);
  if (session == nullptr) return;  // its connection is gone, or will be told so
  change.seen = host_.seen();
  const SlotId id = session->slot;
  const ShardId to = change.connection.shard;
  std::vector<ShareJoin> joins;
  for (Change::Entry& entry : change.entries) {
    if (entry.reason >= Reason::unspecified_error) continue;
    if (!topic::split_shared(entry.filter).name.empty()) {
      change_share(*session, change, entry, joins);
      continue;
    }
    std::string key = records::key(Table::subscription, id, session->number, entry.filter);
    auto* place = index_.find(entry.filter);
    const auto mine = std::find_if(session->filters.begin(), session->filters.end(),
                                   [&](const Subscribed& each) { return each.filter == place; });
    const bool existed = place != nullptr && mine != session->filters.end();
    entry.existed = existed;
    if (!change.subscribe) {
      entry.reason = existed ? Reason::success : Reason::no_subscription_existed;
      if (!existed) continue;
      session->filters.erase(mine);
      if (index_.remove(*place, change.session.index).last_subscriber) {
        host_.interest_changed(entry.filter, false);
      }
      erase(std::move(key));
      continue;
    }
    if (!store_.accepting() || (!existed && session->filters.size() + session->shares.size() >=
                                                profile_.subscriptions_per_session)) {
      entry.reason = Reason::quota_exceeded;
      continue;
    }
    const auto added = index_.add(entry.filter, change.session.index, entry.options);
    if (existed) {
      mine->options = entry.options;
    } else {
      session->filters.push_back({added.filter, entry.options});
    }
    if (added.first_subscriber) {
      entry.fresh = true;
      change.interest = host_.interest_changed(entry.filter, true);
    }
    write(std::move(key), records::Subscription{entry.options}.write());
  }
  host_.changed();
  if (!change.asked) return;
  if (!joins.empty()) return host_.join(std::move(joins), to, std::move(change));
  after(Answer{to, std::move(change)});
}

void Keeper::match(Route& route) {
  matched_.clear();
  index_.match(route.topic, matched_);
  merge(matched_, route,
        [&](std::uint32_t subscriber, const Terms& all, const Terms& own,
            std::uint32_t first_identifier) {
          if ((subscriber & group_bit) != 0) {
            route.groups.push_back(subscriber & ~group_bit);
          } else if (sessions_[subscriber]->number != 0) {  // else it has ended
            route.kept.push_back({subscriber, first_identifier, all, own});
          }
        });
}

}  // namespace gnomon::broker
