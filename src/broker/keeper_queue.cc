// Keeper: messages into the queues of sessions, and out of them.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "broker/keeper.h"

namespace gnomon::broker {

using mqtt::Reason;
using partition::SlotId;
using records::Table;

namespace {
// A message this small is cheaper copied than shared.
constexpr std::size_t shared_body_bytes_min = 256;
// In receivers_: the slot took this message before a restart.
constexpr std::uint32_t taken_before = UINT32_MAX;
}  // namespace

Keeper::Session* Keeper::find(const SessionRef& ref) {
  if (ref.index >= sessions_.size()) return nullptr;
  Session& session = *sessions_[ref.index];
  return session.number != 0 && session.generation == ref.generation && session.gone.ms == 0
             ? &session
             : nullptr;
}

// ---- in

bool Keeper::seen_before(Slot& slot, SlotId id, const Forwarded& forwarded) {
  std::uint64_t& mark = slot.marks[forwarded.slot.value];
  if (forwarded.sequence <= mark) return true;
  mark = forwarded.sequence;
  write(records::key(Table::mark, id,
                     std::string_view(reinterpret_cast<const char*>(&forwarded.slot.value), 1)),
        records::write_number(mark));
  return false;
}

Reason Keeper::keep(const message::Message& message, const Route& route,
                    const Forwarded* forwarded) {
  if (message.expires.ms != 0 && host_.wall_now() > message.expires) {
    counters_.add(Count::dropped_expired, route.kept.size());
    return Reason::success;
  }
  receiver_slots_.clear();
  const SlotId topic_slot =
      message.retain ? partition::slot_of(partition::KeyKind::topic, message.topic) : SlotId();
  const bool retains = message.retain && owns(topic_slot);
  if (message.qos > 0) {
    const auto receives = [this](SlotId id) {
      if (receivers_[id.value]++ == 0) receiver_slots_.push_back(id.value);
    };
    for (const KeptTarget& target : route.kept) receives(sessions_[target.session]->slot);
    for (const std::uint32_t group : route.groups) receives(groups_[group]->slot);
  }
  bool retained_before = false;
  if (forwarded != nullptr) {
    if (retains && receivers_[topic_slot.value] == 0) {
      retained_before = seen_before(slot(topic_slot), topic_slot, *forwarded);
    }
    for (const std::uint8_t id : receiver_slots_) {
      if (!seen_before(slot(SlotId(id)), SlotId(id), *forwarded)) continue;
      receivers_[id] = taken_before;
      if (id == topic_slot.value) retained_before = true;
    }
  }
  encoded_.clear();
  message::encode(message, encoded_);
  Reason worst = Reason::success;
  if (retains && !retained_before) {
    worst = retain(message, topic_slot, forwarded != nullptr);
  }
  if (!receiver_slots_.empty()) {
    worst = std::max(worst, keep_for_receivers(message, route, forwarded));
  } else {
    for (const std::uint32_t group : route.groups) keep_for(*groups_[group], message, false);
  }
  return worst;
}

// receivers_ says how many receivers each slot of receiver_slots_ has.
Reason Keeper::keep_for_receivers(const message::Message& message, const Route& route,
                                  const Forwarded* forwarded) {
  share_bodies(forwarded);
  Reason worst = Reason::success;
  for (const KeptTarget& target : route.kept) {
    Session& session = *sessions_[target.session];
    if (receivers_[session.slot.value] == taken_before) continue;
    const bool own = message.origin.kind == message::OriginKind::mqtt &&
                     message.origin.client_id == session.client_id;
    const Terms& terms = own ? target.own : target.all;
    if (terms.subscriptions == 0) continue;
    const Reason reason =
        keep_for(session, message, std::min(message.qos, terms.qos),
                 terms.retain_as_published && message.retain,
                 std::span(route.identifiers).subspan(target.first_identifier, terms.identifiers),
                 shared_bodies_[session.slot.value], forwarded != nullptr);
    worst = std::max(worst, reason);
  }
  for (const std::uint32_t index : route.groups) {
    Group& group = *groups_[index];
    if (receivers_[group.slot.value] == taken_before) continue;
    worst = std::max(worst, keep_for(group, message, forwarded != nullptr));
  }
  for (const std::uint8_t id : receiver_slots_) {
    if (shared_bodies_[id] != 0) drop_body(SlotId(id), shared_bodies_[id]);
    shared_bodies_[id] = 0;
    receivers_[id] = 0;
  }
  return worst;
}

// Writes the message once per slot where several sessions want it.
void Keeper::share_bodies(const Forwarded* forwarded) {
  if (encoded_.size() < shared_body_bytes_min) return;
  if (forwarded == nullptr && !store_.accepting()) return;
  for (const std::uint8_t id : receiver_slots_) {
    if (receivers_[id] < 2 || receivers_[id] == taken_before) continue;
    Slot& at = slot(SlotId(id));
    const std::uint64_t body = number(at);
    shared_bodies_[id] = body;
    at.bodies[body] = 1;  // held until all have it
    write(records::key(Table::body, SlotId(id), body), std::string(as_text(encoded_.view())));
  }
}

Reason Keeper::keep_for(Session& session, const message::Message& message, std::uint8_t qos,
                        bool retain, std::span<const std::uint32_t> identifiers, std::uint64_t body,
                        bool promised) {
  if (qos == 0) {
    // Subscribed with QoS 0: delivered if the client is here, never kept.
    if (!session.open) return Reason::success;
    host_.deliver(session.connection, {.kind = Delivery::Kind::publish,
                                       .qos = 0,
                                       .retain = retain,
                                       .generation = session.generation,
                                       .identifiers = identifiers,
                                       .message = &message});
    return Reason::success;
  }
  Outgoing& out = session.out;
  // What was promised to its publisher is taken all the same.
  if (!promised && (!store_.accepting() || out.count() >= profile_.queue_messages_max ||
                    out.bytes() + encoded_.size() > profile_.queue_bytes_max)) {
    counters_.add(store_.accepting() ? Count::queue_refused_full : Count::queue_refused_disk);
    return Reason::quota_exceeded;
  }
  records::Entry entry;
  entry.qos = qos;
  entry.retain = retain;
  entry.body = body;
  entry.identifiers.assign(identifiers.begin(), identifiers.end());
  if (body == 0) entry.message = as_text(encoded_.view());
  std::string value = entry.write();
  const std::uint64_t sequence = out.next();
  const auto size = static_cast<std::uint32_t>(value.size());
  const bool hand_over = session.open && out.caught_up();
  const bool ahead = session.open && drains(session) && qos == 1;
  out.stored(size);
  ++queued_;
  if (body != 0) ++slot(session.slot).bodies[body];
  write(records::key(Table::queue, session.slot, session.number, sequence), std::move(value));
  if (!hand_over && !ahead) return Reason::success;
  const std::uint16_t window = window_of(session);
  const bool now =
      ahead ? out.may_send_ahead(window, size) : qos == 1 && out.may_send_now(window, size);
  if (now) {
    ahead ? out.sent_ahead(sequence, size, body) : out.sent_now(sequence, size, body);
    host_.deliver(session.connection, {.kind = Delivery::Kind::publish,
                                       .qos = 1,
                                       .retain = retain,
                                       .packet_id = Outgoing::packet_id(sequence),
                                       .generation = session.generation,
                                       .identifiers = identifiers,
                                       .message = &message});
    return Reason::success;
  }
  if (!hand_over) return Reason::success;
  Outgoing::Ready ready;
  ready.sequence = sequence;
  ready.qos = qos;
  ready.retain = retain;
  ready.size = size;
  ready.body = body;
  ready.written = Outgoing::unwritten;
  ready.identifiers = std::move(entry.identifiers);
  ready.message.append(encoded_.view());
  out.push(std::move(ready));
  unwritten_.push_back(by_client_.at(session.client_id));
  return Reason::success;
}

void Keeper::handle(Replayed& replayed) {
  Session* session = find(replayed.session);
  if (session == nullptr) return;
  const auto decoded = message::decode(replayed.message.view());
  encoded_.clear();
  encoded_.append(replayed.message.view());
  std::vector<std::uint32_t> identifiers;
  if (replayed.identifier != 0) identifiers.push_back(replayed.identifier);
  keep_for(*session, decoded->message, replayed.qos, true, identifiers, 0, false);
}

// ---- out

void Keeper::handle(const Opened& given) {
  opened(given);
  if (given.session.generation == 0) return;
  Session* session = find(given.session);
  if (session == nullptr) return;
  session->open = true;
  session->permissions = given.permissions;
  if (profile_.rates.stored_out > 0 && session->out.count() > 0) {
    session->drain = std::make_unique<Drain>(Drain{session->out.next(), {}});
  }
  attend_groups(*session);
  pump(*session);
}

// What is in flight from share groups takes its part of the client's window.
std::uint16_t Keeper::window_of(const Session& session) {
  const std::size_t taken = session.from_groups ? session.from_groups->flight.size() : 0;
  return static_cast<std::uint16_t>(session.receive_maximum -
                                    std::min<std::size_t>(taken, session.receive_maximum));
}

void Keeper::pump(Session& session) {
  if (!session.open) return;
  const WallTime now = host_.wall_now();
  const store::Sequence durable = store_.durable();
  for (bool sent = true; sent;) {
    // In turn, so that neither takes the last place in the window for ever.
    sent = session.from_groups && session.from_groups->turn
               ? pump_groups(session, now) || pump_queue(session, now, durable)
               : pump_queue(session, now, durable) || pump_groups(session, now);
  }
  if (const auto sequence = session.out.waits_for(durable);
      sequence != 0 && !session.waits_for_sync) {
    session.waits_for_sync = true;
    wanted_ = std::max(wanted_, sequence);
    waiting_pumps_.push_back({sequence, by_client_.at(session.client_id)});
  }
  page_for(session);
}

bool Keeper::drains(Session& session) {
  if (session.drain && session.out.unsent() >= session.drain->to) session.drain.reset();
  return session.drain != nullptr;
}

// Takes a place in the rate, or sees to it that there will be another try.
bool Keeper::may_drain(Session& session) {
  Drain& drain = *session.drain;
  const Instant now = host_.now();
  const int rate = profile_.rates.stored_out;
  if (drain.rate.take(now, rate)) return true;
  if (!std::exchange(drain.waits, true)) {
    wake_at({now + drain.rate.wait(now, rate), false, by_client_.at(session.client_id),
             session.number});
  }
  return false;
}

// Sends the next message of the queue. False: there is none, or no room.
bool Keeper::pump_queue(Session& session, WallTime now, store::Sequence durable) {
  Outgoing::Ready* ready = session.out.front(window_of(session), durable);
  if (ready == nullptr || (drains(session) && !may_drain(session))) return false;
  bool sent = false;
  send(session, *ready, now, sent);
  const auto left = session.out.pop(sent);
  if (!sent) gone(session, left);
  if (session.from_groups) session.from_groups->turn = true;
  return true;
}

void Keeper::send(Session& session, Outgoing::Ready& ready, WallTime now, bool& sent) {
  Delivery delivery;
  delivery.packet_id = Outgoing::packet_id(ready.sequence);
  delivery.generation = session.generation;
  const auto decoded = message::decode(ready.message.view());
  const WallTime expires = ready.released ? WallTime{} : decoded->message.expires;
  if (expires.ms != 0 && now > expires) {
    counters_.add(Count::dropped_expired);
    // QoS 2 that was sent before: the client may have it and wait for PUBREL, or answers that it
    // knows no such id; both end the exchange, and free the id at both ends.
    if (!ready.dup || ready.qos < 2) return;
    ready.released = true;
  }
  if (ready.released) {
    delivery.kind = Delivery::Kind::pubrel;
    sent = true;
    return host_.deliver(session.connection, delivery);
  }
  delivery.kind = Delivery::Kind::publish;
  delivery.qos = ready.qos;
  delivery.retain = ready.retain;
  delivery.dup = ready.dup && profile_.says_dup;
  delivery.identifiers = ready.identifiers;
  delivery.message = &decoded->message;
  sent = true;
  host_.deliver(session.connection, delivery);
}

void Keeper::gone(Session& session, const Outgoing::Gone& gone) {
  erase(records::key(Table::queue, session.slot, session.number, gone.sequence));
  if (gone.body != 0) drop_body(session.slot, gone.body);
  --queued_;
}

void Keeper::drop_body(SlotId id, std::uint64_t body) {
  auto& bodies = slot(id).bodies;
  const auto it = bodies.find(body);
  if (it == bodies.end() || --it->second > 0) return;
  bodies.erase(it);
  erase(records::key(Table::body, id, body));
}

void Keeper::handle(const Acks& acks) {
  for (const Acks::Shared& shared : acks.shared) acknowledged(shared);
  for (const Acks::Item& item : acks.items) {
    Session* session = find(item.session);
    if (session == nullptr) continue;
    if (item.packet_id > Outgoing::ids && item.type == mqtt::PacketType::puback) {
      acknowledged(*session, item);
      continue;
    }
    Outgoing::Gone left;
    auto outcome = Outgoing::Outcome::unknown;
    Delivery pubrel{.kind = Delivery::Kind::pubrel,
                    .packet_id = item.packet_id,
                    .generation = session->generation};
    switch (item.type) {
      case mqtt::PacketType::puback:
        outcome = session->out.puback(item.packet_id, left);
        break;
      case mqtt::PacketType::pubrec:
        outcome = session->out.pubrec(item.packet_id, item.failed, left);
        break;
      default:
        outcome = session->out.pubcomp(item.packet_id, left);
        break;
    }
    switch (outcome) {
      case Outgoing::Outcome::done:
        gone(*session, left);
        break;
      case Outgoing::Outcome::released: {
        // PUBREL leaves when a restart cannot make it a PUBLISH again.
        records::Entry released;
        released.qos = 2;
        released.released = true;
        write(records::key(Table::queue, session->slot, session->number, left.sequence),
              released.write());
        if (left.body != 0) drop_body(session->slot, left.body);
        after(Reply{session->connection, pubrel});
        break;
      }
      case Outgoing::Outcome::repeated:
        after(Reply{session->connection, pubrel});
        break;
      case Outgoing::Outcome::unknown:
        if (item.type != mqtt::PacketType::pubrec || item.failed) break;
        pubrel.reason = Reason::packet_identifier_not_found;
        host_.deliver(session->connection, pubrel);
        break;
    }
    pump(*session);
  }
}

// ---- pages

void Keeper::page_for(Session& session) {
  if (session.page_request != 0 || !session.out.wants_page()) return;
  session.page_request = ++requests_;
  pages_.push_back({Page::Of::session, Table::queue, session.slot, by_client_.at(session.client_id),
                    session.number, session.out.loaded(), session.out.next(), session.page_request,
                    budget_.page()});
}

void Keeper::handle(Page& page) {
  if (page.of == Page::Of::purge) return purge_page(page);
  if (page.of == Page::Of::group) return take_page(*groups_[page.index], page);
  Session& session = *sessions_[page.index];
  if (session.number != page.number || session.page_request != page.request) return;
  if (page.damaged) {
    return host_.broken({Code::unavailable, "the queue of client '" + session.client_id +
                                                "' cannot be read from the store; restore a backup "
                                                "(gnomon restore)"});
  }
  session.page_request = 0;
  for (Page::Entry& found : page.entries) {
    records::Entry entry;
    entry.read(found.value);
    Outgoing::Ready ready;
    ready.sequence = found.sequence;
    ready.qos = entry.qos;
    ready.retain = entry.retain;
    ready.released = entry.released;
    ready.dup = found.sequence < session.out.sent_to();
    ready.size = static_cast<std::uint32_t>(found.value.size());
    ready.body = entry.body;
    ready.written = page.written;
    ready.identifiers = std::move(entry.identifiers);
    ready.message.append(entry.body == 0 ? entry.message : std::string_view(found.body));
    session.out.push(std::move(ready));
  }
  session.out.loaded_to(page.read_to);
  pump(session);
}

// ---- purges

// One at a time, a page at a time: a long queue must not hold the thread.
void Keeper::purge_next() {
  if (purging_ || purges_.empty()) return;
  purging_ = true;
  const Purge& purge = purges_.front();
  pages_.push_back({Page::Of::purge, purge.table, purge.slot, 0, purge.number, purge.from, purge.to,
                    ++requests_});
}

void Keeper::purge_page(const Page& page) {
  Purge& purge = purges_.front();
  for (const Page::Entry& found : page.entries) {
    records::Entry entry;
    entry.read(found.value);
    erase(records::key(purge.table, purge.slot, purge.number, found.sequence));
    if (entry.body != 0) drop_body(purge.slot, entry.body);
  }
  purge.from = page.read_to;
  if (purge.from >= purge.to) purges_.pop_front();
  purging_ = false;
  purge_next();
}

// ---- QoS 2 from a client

void Keeper::handle(Receive& receive) {
  Session* session = find(receive.session);
  if (session == nullptr) return;
  Delivery answer{
      .kind = Delivery::Kind::settle, .ticket = receive.ticket, .generation = session->generation};
  auto& received = session->received;
  const auto at = std::lower_bound(received.begin(), received.end(), receive.packet_id);
  // A duplicate is answered like the first one: when that is durable (MQTT 5 §4.3.3).
  if (at == received.end() || *at != receive.packet_id) {
    if (!store_.accepting()) {
      answer.reason = Reason::quota_exceeded;
      return host_.deliver(receive.connection, answer);
    }
    received.insert(at, receive.packet_id);
    const Forwarded forwarded{session->slot, number(slot(session->slot))};
    write(records::key(Table::received, session->slot, session->number, receive.packet_id),
          records::write_number(forwarded.sequence));
    std::string message(as_text(receive.message.view()));
    write(records::key(Table::forward, session->slot, forwarded.sequence), message);
    forwards_.push_back({forwarded, std::move(message), nullptr});
  }
  after(Reply{receive.connection, answer});
}

void Keeper::handle(const ReleaseId& release) {
  Session* session = find(release.session);
  if (session == nullptr) return;
  Delivery answer{.kind = Delivery::Kind::pubcomp,
                  .packet_id = release.packet_id,
                  .generation = session->generation};
  auto& received = session->received;
  const auto at = std::lower_bound(received.begin(), received.end(), release.packet_id);
  // An id that is not there was released before, and the PUBCOMP was lost with its connection: that
  // is no error (MQTT 5 §3.7.2.1), and clients that take 0x92 for one would report it.
  if (at != received.end() && *at == release.packet_id) {
    received.erase(at);
    erase(records::key(Table::received, session->slot, session->number, release.packet_id));
  }
  after(Reply{release.connection, answer});
}

}  // namespace gnomon::broker
