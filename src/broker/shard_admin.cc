// What an administrator sees of a shard, its connections and its keeper, and does to them.
#include <algorithm>
#include <chrono>

#include "base/limits.h"
#include "broker/shard.h"

namespace gnomon::broker {

namespace {

// Calls `look(place)` for the places from page.at on, until it returns false, the page is full, or
// enough were looked at. `places`: how many there are.
template <class Page, class Full, class Look>
void walk(Page& page, std::size_t places, const Full& full, const Look& look) {
  std::uint32_t looked = 0;
  while (page.at.index < places) {
    if (full() || ++looked > limits::admin_places_max) return;
    if (!look(page.at.index)) return;
    ++page.at.index;
    page.at.inner = 0;
  }
  page.done = true;
}

void add(SubscriptionPage& page, const std::string& client_id, std::string_view filter,
         topic::Options options) {
  page.subscriptions.push_back({client_id, std::string(filter), options});
}

}  // namespace

// ---- clients

ClientView Connection::view() const {
  ClientView view;
  view.client_id = client_id_;
  view.persistent = session_.kept != nullptr;
  const auto idle = shard_.loop_.now() - last_received_;
  view.connected = {shard_.id_,
                    stream_->peer().to_string(),
                    machine_.version(),
                    keep_alive_seconds_,
                    std::chrono::duration_cast<std::chrono::milliseconds>(idle),
                    stream_->pending()};
  view.subscriptions =
      session_.filters.size() + (session_.shares ? session_.shares->filters.size() : 0);
  if (!view.persistent) {
    const auto flying = static_cast<std::uint64_t>(session_.window.count());
    const std::uint64_t waiting = session_.queue ? session_.queue->messages.size() : 0;
    view.messages = {waiting + flying, session_.queue ? session_.queue->bytes : 0, flying};
  }
  return view;
}

ClientView Keeper::view(const Session& session) const {
  ClientView view;
  view.client_id = session.client_id;
  view.persistent = true;
  view.expiry_seconds = session.expiry_seconds;
  view.gone = session.gone;
  view.subscriptions = session.filters.size() + session.shares.size();
  view.messages = {session.out.count(), session.out.bytes(),
                   static_cast<std::uint64_t>(session.out.flying())};
  return view;
}

void Shard::list(ClientPage& page) const {
  if (page.at.sessions) return keeper_.list_away(page);
  const auto full = [&] { return page.clients.size() >= page.limit; };
  walk(page, places_.size(), full, [&](std::uint32_t place) {
    const auto& connection = places_[place].connection;
    if (connection && connection->established()) page.clients.push_back(connection->view());
    return true;
  });
}

void Keeper::list_away(ClientPage& page) const {
  const auto full = [&] { return page.clients.size() >= page.limit; };
  walk(page, sessions_.size(), full, [&](std::uint32_t place) {
    const Session* session = sessions_[place].get();
    if (session != nullptr && session->number != 0 && session->gone.ms != 0) {
      page.clients.push_back(view(*session));
    }
    return true;
  });
}

// ---- subscriptions

// Of a clean session, and of any the shared ones that it holds itself.
void Connection::list(SubscriptionPage& page) {
  const std::size_t own = session_.kept ? 0 : session_.filters.size();
  const std::size_t shared = session_.shares ? session_.shares->filters.size() : 0;
  for (; page.at.inner < own + shared && !page.full(); ++page.at.inner) {
    if (page.at.inner < own) {
      auto& filter = *session_.filters[page.at.inner];
      add(page, client_id_, topic::SubscriptionIndex::text(filter),
          topic::SubscriptionIndex::options(filter, ref_.index).value_or(topic::Options()));
    } else {
      add(page, client_id_, session_.shares->filters[page.at.inner - own], {});
    }
  }
}

void Keeper::list(const Session& session, SubscriptionPage& page) {
  const std::size_t own = session.filters.size();
  for (; page.at.inner < own + session.shares.size() && !page.full(); ++page.at.inner) {
    if (page.at.inner < own) {
      const Subscribed& each = session.filters[page.at.inner];
      add(page, session.client_id, topic::SubscriptionIndex::text(*each.filter), each.options);
    } else {
      const SharedFilter& each = session.shares[page.at.inner - own];
      add(page, session.client_id, each.filter, each.options);
    }
  }
}

void Shard::list(SubscriptionPage& page) const {
  if (page.at.sessions) return keeper_.list(page);
  walk(
      page, places_.size(), [&] { return page.full(); },
      [&](std::uint32_t place) {
        const auto& connection = places_[place].connection;
        if (connection && connection->established()) connection->list(page);
        return !page.full();
      });
}

void Keeper::list(SubscriptionPage& page) const {
  walk(
      page, sessions_.size(), [&] { return page.full(); },
      [&](std::uint32_t place) {
        const Session* session = sessions_[place].get();
        if (session != nullptr && session->number != 0) list(*session, page);
        return !page.full();
      });
}

// ---- one client

ClientRecord Keeper::record_of(const std::string& client_id) const {
  ClientRecord record;
  const auto slot = partition::slot_of(partition::KeyKind::client_id, client_id);
  if (slots_[slot.value]) {
    if (const ConnectionRef* holder = slots_[slot.value]->home.holder(client_id)) {
      record.holder = *holder;
    }
  }
  if (const auto found = by_client_.find(client_id); found != by_client_.end()) {
    const Session& session = *sessions_[found->second];
    record.session = view(session);
    SubscriptionPage page;
    page.limit = limits::admin_subscriptions_max;
    list(session, page);
    record.subscriptions = std::move(page.subscriptions);
  }
  return record;
}

std::optional<ClientView> Shard::view(const ConnectionRef& ref) {
  const Connection* connection = find(ref);
  if (connection == nullptr || !connection->established()) return std::nullopt;
  return connection->view();
}

void Shard::list(const ConnectionRef& ref, SubscriptionPage& page) {
  Connection* connection = find(ref);
  if (connection != nullptr && connection->established()) connection->list(page);
}

bool Shard::kick(const ConnectionRef& ref) {
  Connection* connection = find(ref);
  if (connection == nullptr || !connection->established()) return false;
  connection->kick();
  return true;
}

// ---- whose permissions may be different now

void Shard::recheck(const Principals& changed) {
  for (const Place& place : places_) {
    Connection* connection = place.connection.get();
    if (connection == nullptr) continue;
    // Nobody knows whose a CONNECT is that is being decided.
    if (!connection->principal().empty() &&
        !changed.has(connection->principal(), connection->has_proof()))
      continue;
    if (connection->note_renewal()) renewing_.push_back(connection->ref());
  }
}

void Shard::renew_connections() {
  for (int i = 0; i < limits::rechecks_per_turn && may_renew(); ++i) {
    const ConnectionRef ref = renewing_.front();
    renewing_.pop_front();
    if (Connection* connection = find(ref)) connection->renew();
  }
}

// Of all connections only the next end is remembered: they are looked through once it has passed,
// at most once a second.
void Shard::ask_again(WallTime until) {
  if (until >= ends_.next) return;
  ends_.next = until;
  // The clock may be set: never sleep long on what it says now.
  constexpr std::int64_t shortest = 1'000, longest = 60'000;
  const std::int64_t left = until.ms + 1 - authenticator_.now().ms;
  loop_.timers().arm(ends_,
                     loop_.now() + std::chrono::milliseconds(std::clamp(left, shortest, longest)));
}

void Shard::look_at_ends() {
  const WallTime now = authenticator_.now(), due = std::exchange(ends_.next, WallTime::never());
  if (now <= due) return ask_again(due);
  WallTime next = WallTime::never();
  for (const Place& place : places_) {
    Connection* connection = place.connection.get();
    if (connection == nullptr) continue;
    if (connection->until() >= now) {
      next = std::min(next, connection->until());
    } else if (connection->note_renewal()) {
      renewing_.push_back(connection->ref());
    }
  }
  ask_again(next);
}

void Connection::kick() {
  disconnect(mqtt::Reason::administrative_action, "an administrator ended the connection",
             Count::disconnects_administrative);
}

}  // namespace gnomon::broker
