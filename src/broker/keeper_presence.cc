// Keeper: who is connected, told in order at the home of the client id (presence.h).
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "broker/keeper.h"

namespace gnomon::broker {

using partition::SlotId;
using records::Table;

namespace {
SlotId slot_of_client(const std::string& client_id) {
  return partition::slot_of(partition::KeyKind::client_id, client_id);
}
}  // namespace

// The bytes of one connection; the source is asked for many at once, as that is a system call.
SessionIdentifier Keeper::make_identifier() {
  SessionIdentifier made;
  if (random_at_ == random_bytes_.size()) {
    random_.fill(random_bytes_);
    random_at_ = 0;
  }
  std::copy_n(random_bytes_.begin() + static_cast<std::ptrdiff_t>(random_at_), made.size(),
              made.begin());
  random_at_ += made.size();
  return made;
}

// ---- a connection

// The claim is about to be granted. What is written anyway has what is told if the server does not
// see the end of the connection; of others nothing is known then.
void Keeper::number_connection(const Claim& claim, bool durable) {
  const SlotId id = slot_of_client(claim.client_id);
  Home::Present& present = *slot(id).home.present(claim.client_id);
  present.session = make_identifier();
  present.version = versions_.next(claim.client_id, host_.now());
  present.recorded = durable;
  if (!durable) return;
  write(records::key(Table::presence, id, claim.client_id),
        records::Presence{present.version, present.session, claim.principal}.write());
}

void Keeper::opened(const Opened& opened) {
  const SlotId id = slot_of_client(opened.client_id);
  Home& home = slot(id).home;
  const ConnectionRef* holder = home.holder(opened.client_id);
  if (holder == nullptr || !(*holder == opened.connection)) return;
  Home::Present& present = *home.present(opened.client_id);
  // Its client is back: that it was connected when the server ended is not told any more.
  if (left_open_.erase(opened.client_id) > 0 && !present.recorded)
    erase(records::key(Table::presence, id, opened.client_id));
  present.since = host_.wall_now();
  announce({.client_id = opened.client_id,
            .connected = true,
            .at = present.since,
            .version = present.version,
            .session = present.session,
            .principal = opened.principal,
            .peer = &opened.peer});
}

// The holder has ended; its place is still there.
void Keeper::ended(const Release& release) {
  const SlotId id = slot_of_client(release.client_id);
  const Home::Present present = *slot(id).home.present(release.client_id);
  versions_.left(release.client_id, present.version, host_.now());
  // One that never got its CONNACK leaves what is said of the connection before the start.
  if (present.recorded && !left_open_.contains(release.client_id))
    erase(records::key(Table::presence, id, release.client_id));
  if (present.since.ms == 0) return;
  announce({.client_id = release.client_id,
            .connected = false,
            .at = host_.wall_now(),
            .why = release.why,
            .version = present.version,
            .session = present.session,
            .principal = release.principal});
}

void Keeper::handle(const SubscriptionsChanged& changed) {
  Home& home = slot(slot_of_client(changed.client_id)).home;
  const ConnectionRef* holder = home.holder(changed.client_id);
  if (holder == nullptr || !(*holder == changed.connection)) return;
  const auto kind = changed.subscribed ? EventKind::subscribed : EventKind::unsubscribed;
  SubscriptionEvent event{.client_id = changed.client_id,
                          .subscribed = changed.subscribed,
                          .at = host_.wall_now(),
                          .session = home.present(changed.client_id)->session,
                          .principal = changed.principal,
                          .topics = {}};
  // A SUBSCRIBE may be larger than a message that its receivers take.
  std::span<const std::string> rest(changed.filters);
  while (!rest.empty()) {
    std::size_t count = 0, bytes = 0;
    while (count < rest.size() && (count == 0 || bytes < limits::event_topics_bytes))
      bytes += rest[count++].size();
    event.topics = rest.first(count);
    rest = rest.subspan(count);
    tell(kind, changed.client_id, [&] { return event_of(event); });
  }
}

// ---- telling

void Keeper::announce(const PresenceChange& change) {
  if (observer_ != nullptr) observer_->presence(change, committer_.batch());
  tell(change.connected ? EventKind::connected : EventKind::disconnected, change.client_id,
       [&] { return event_of(change); });
}

// With QoS 1, so that persistent sessions queue it. No promise: a server that dies has not
// published it, but for ends (left_open_).
template <class Write>
void Keeper::tell(EventKind kind, std::string_view client_id, Write&& write) {
  const std::string topic = host_.wanted_event(kind, client_id);
  if (topic.empty()) return;
  const std::string payload = write();
  message::Message message;
  message.topic = topic;
  message.payload = as_bytes(payload);
  message.qos = 1;
  counters_.add(Count::presence_events);
  host_.publish(message);
}

// ---- connections that were open when the server ended

void Keeper::note_left_open(std::string_view client_id, records::Presence record, WallTime due) {
  versions_.left(std::string(client_id), record.version, host_.now());
  schedule(due, std::string(client_id));
  left_open_.insert_or_assign(std::string(client_id), LeftOpen{std::move(record), due});
}

void Keeper::tell_left_open(const std::string& client_id, WallTime now) {
  const auto left = left_open_.find(client_id);
  if (left == left_open_.end() || left->second.due > now) return;
  const records::Presence record = std::move(left->second.record);
  left_open_.erase(left);
  const SlotId id = slot_of_client(client_id);
  // A connection that waits for its CONNACK may have left its own by now.
  const Home::Present* present = slot(id).home.present(client_id);
  if (present == nullptr || !present->recorded) erase(records::key(Table::presence, id, client_id));
  announce({.client_id = client_id,
            .connected = false,
            .at = now,
            .why = DisconnectReason::server_error,
            .version = record.version,
            .session = record.session,
            .principal = record.principal});
}

// ---- everybody who is connected

// Who is told already begins from the front with whoever asks now.
void Keeper::tell_connected(std::function<void()> then) {
  telling_ = 0;
  all_told_.push_back(std::move(then));
}

// Of one slot: a turn is not to be long.
void Keeper::tell_some() {
  if (telling_ == partition::slots) return;
  while (telling_ < partition::slots) {
    const auto& slot = slots_[static_cast<std::size_t>(telling_++)];
    if (observer_ == nullptr || slot == nullptr || slot->home.size() == 0) continue;
    slot->home.each_present([&](const std::string& client_id, const Home::Present& present) {
      if (present.since.ms == 0) return;
      observer_->presence({.client_id = client_id,
                           .connected = true,
                           .at = present.since,
                           .version = present.version,
                           .session = present.session},
                          committer_.batch());
    });
    if (telling_ < partition::slots) return;
  }
  for (auto& then : std::exchange(all_told_, {}))
    after(Told{[then = std::move(then)](bool) { then(); }, true});
}

// ---- who an operation ends

void Keeper::dismiss(const std::string& client_id, const Dismissal& how, Dismissed told) {
  if (const ConnectionRef* holder = slot(slot_of_client(client_id)).home.holder(client_id)) {
    dismissals_.emplace(client_id, Waiting{*holder, how.clean_session, std::move(told)});
    return host_.send(holder->shard, Evict{*holder, true, how.prevent_will});
  }
  const auto known = by_client_.find(client_id);
  const bool there = known != by_client_.end();
  if (there && how.clean_session) end_session(*sessions_[known->second]);
  after(Told{std::move(told), there});
}

// What was asked of this connection is done, and told when that is durable. True: its session is to
// end, too.
bool Keeper::dismissed(const Release& release) {
  bool clean = false;
  auto [at, end] = dismissals_.equal_range(release.client_id);
  while (at != end) {
    if (!(at->second.connection == release.connection)) {
      ++at;
      continue;
    }
    clean = clean || at->second.clean_session;
    after(Told{std::move(at->second.told), true});
    at = dismissals_.erase(at);
  }
  return clean;
}

}  // namespace gnomon::broker
