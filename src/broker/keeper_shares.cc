// Keeper: share groups of its slots, and what groups give to sessions of its slots.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "broker/keeper.h"
#include "topic/topic.h"

namespace gnomon::broker {

using mqtt::Reason;
using partition::SlotId;
using records::Table;

SlotId Keeper::slot_of_group(std::string_view filter) {
  return partition::slot_of(partition::KeyKind::share_group, filter);
}

ShardId Keeper::home_of_group(std::string_view filter) const {
  return owner_of(slot_of_group(filter));
}

// ---- groups

Keeper::Group* Keeper::find(const ShareRef& ref) {
  if (ref.group >= groups_.size()) return nullptr;
  Group& group = *groups_[ref.group];
  return group.number != 0 && group.number == ref.number ? &group : nullptr;
}

Keeper::Group& Keeper::group_of(const std::string& filter) {
  const auto known = by_share_.find(filter);
  if (known != by_share_.end()) return *groups_[known->second];
  std::uint32_t index = 0;
  if (free_groups_.empty()) {
    index = static_cast<std::uint32_t>(groups_.size());
    groups_.push_back(std::make_unique<Group>(budget_, profile_.rates.shared_out));
  } else {
    index = free_groups_.back();
    free_groups_.pop_back();
  }
  Group& group = *groups_[index];
  group.filter = filter;
  group.slot = slot_of_group(filter);
  group.number = number(slot(group.slot));
  by_share_.emplace(filter, index);
  return group;
}

// Wants messages from now on.
void Keeper::list(Group& group) {
  if (std::exchange(group.listed, true)) return;
  const std::string_view filter = topic::split_shared(group.filter).filter;
  const std::uint32_t name = group_bit | index_of(group);
  if (index_.add(filter, name, {}).first_subscriber) host_.interest_changed(filter, true);
  host_.share_interest(filter, name, true);
  host_.changed();
}

// Its queue can be found again after a restart.
void Keeper::record(Group& group) {
  if (!group.share.keeps() || std::exchange(group.recorded, true)) return;
  write(records::key(Table::share, group.slot, group.filter), records::write_number(group.number));
}

void Keeper::end_group(Group& group) {
  const std::uint32_t index = index_of(group);
  const std::string_view filter = topic::split_shared(group.filter).filter;
  if (group.listed) {
    if (index_.remove(filter, group_bit | index).last_subscriber) {
      host_.interest_changed(filter, false);
    }
    host_.share_interest(filter, group_bit | index, false);
    host_.changed();
  }
  if (group.recorded) {
    erase(records::key(Table::share, group.slot, group.filter));
    if (group.share.first() < group.share.next()) {
      purges_.push_back(
          {Table::group, group.slot, group.number, group.share.first(), group.share.next()});
      purge_next();
    }
  }
  by_share_.erase(group.filter);
  group = Group(budget_, profile_.rates.shared_out);
  free_groups_.push_back(index);
}

// ---- members

void Keeper::adopt(const ShareJoin& join) {
  Group& group = group_of(join.filter);
  group.share.join(join.member, join.options);
  record(group);
  if (std::exchange(group.listed, true)) return;
  const std::string_view filter = topic::split_shared(group.filter).filter;
  if (index_.add(filter, group_bit | index_of(group), {}).first_subscriber) {
    loaded_filters_.emplace_back(filter);
  }
}

void Keeper::handle(const ShareJoin& join) {
  Group& group = group_of(join.filter);
  if (group.share.members() >= profile_.share_members_max && !group.share.find(join.member)) {
    return after(Joined{join.from, {join.answer, join.entry, join.filter}});
  }
  Share::Member& member = group.share.join(join.member, join.options);
  if (join.online) {
    member.permit(join.permissions);
    counters_.add(
        Count::shared_returned,
        group.share.attend(member, join.connection, join.generation, join.receive_maximum));
  }
  record(group);
  list(group);
  if (join.answer != 0) after(Joined{join.from, {join.answer, join.entry, {}}});
  pump(group);
}

void Keeper::handle(const SharePermissions& changed) {
  const auto known = by_share_.find(changed.filter);
  if (known == by_share_.end()) return;
  Group& group = *groups_[known->second];
  Share::Member* member = group.share.find(changed.member);
  if (member == nullptr) return;
  member->permit(changed.permissions);
  pump(group);
}

void Keeper::handle(const ShareLeave& leave) {
  const auto known = by_share_.find(leave.filter);
  if (known == by_share_.end()) return;
  Group& group = *groups_[known->second];
  Share::Member* member = group.share.find(leave.member);
  if (member == nullptr) return;
  counters_.add(Count::shared_returned,
                leave.ends ? group.share.leave(*member) : group.share.depart(*member));
  if (group.share.empty()) return end_group(group);
  if (!group.share.attended()) group.page_request = 0;  // what is read meanwhile is not wanted
  pump(group);
}

// ---- sessions here that are members

ShareJoin Keeper::join_of(const Session& session, const SharedFilter& share) const {
  ShareJoin join;
  join.filter = share.filter;
  join.member = {session.client_id, session.number, {}};
  join.options = share.options;
  join.online = session.open;
  join.connection = session.connection;
  join.generation = session.generation;
  join.receive_maximum = session.receive_maximum;
  join.permissions = session.permissions;
  return join;
}

void Keeper::attend_groups(const Session& session) {
  for (const SharedFilter& share : session.shares) {
    host_.send(home_of_group(share.filter), join_of(session, share));
  }
}

void Keeper::handle(const SessionPermissions& changed) {
  Session* session = find(changed.session);
  if (session == nullptr) return;
  session->permissions = changed.permissions;
  for (const SharedFilter& share : session->shares) {
    host_.send(home_of_group(share.filter),
               SharePermissions{
                   share.filter, {session->client_id, session->number, {}}, session->permissions});
  }
}

void Keeper::leave_groups(const Session& session, bool ends) {
  for (const SharedFilter& share : session.shares) {
    if (ends) {
      erase(records::key(Table::subscription, session.slot, session.number, share.filter));
    }
    host_.send(home_of_group(share.filter),
               ShareLeave{share.filter, {session.client_id, session.number, {}}, ends});
  }
}

// One entry of SUBSCRIBE or UNSUBSCRIBE. Its group must answer a subscription.
void Keeper::change_share(Session& session, const Change& change, Change::Entry& entry,
                          std::vector<ShareJoin>& joins) {
  auto& shares = session.shares;
  const auto mine = std::find_if(shares.begin(), shares.end(), [&](const SharedFilter& each) {
    return each.filter == entry.filter;
  });
  entry.existed = mine != shares.end();
  std::string key = records::key(Table::subscription, session.slot, session.number, entry.filter);
  if (!change.subscribe) {
    entry.reason = entry.existed ? Reason::success : Reason::no_subscription_existed;
    if (!entry.existed) return;
    erase(std::move(key));
    shares.erase(mine);
    return host_.send(home_of_group(entry.filter),
                      ShareLeave{entry.filter, {session.client_id, session.number, {}}, true});
  }
  if (!store_.accepting() || (!entry.existed && session.filters.size() + shares.size() >=
                                                    profile_.subscriptions_per_session)) {
    entry.reason = Reason::quota_exceeded;
    return;
  }
  if (entry.existed) {
    mine->options = entry.options;
  } else {
    shares.push_back({entry.filter, entry.options});
  }
  write(std::move(key), records::Subscription{entry.options}.write());
  joins.push_back(join_of(session, {entry.filter, entry.options}));
  joins.back().entry = static_cast<std::uint16_t>(&entry - change.entries.data());
}

// A group did not take the session.
void Keeper::refuse(Change& change, std::size_t index) {
  Change::Entry& entry = change.entries[index];
  entry.reason = Reason::quota_exceeded;
  Session* session = find(change.session);
  if (session == nullptr) return;
  std::erase_if(session->shares,
                [&](const SharedFilter& each) { return each.filter == entry.filter; });
  erase(records::key(Table::subscription, session->slot, session->number, entry.filter));
}

// What a group gives to a session with QoS 1 stays the group's: if this connection is gone, the
// group knows or will hear of it.
void Keeper::handle(Hand& hand) {
  const auto known = by_client_.find(hand.client_id);
  Session* session = known == by_client_.end() ? nullptr : sessions_[known->second].get();
  if (session != nullptr && session->number != hand.number) session = nullptr;
  if (hand.qos == 2) return take(hand, session);
  if (session == nullptr || !session->open || session->generation != hand.generation) return;
  if (!session->from_groups) session->from_groups = std::make_unique<FromGroups>();
  session->from_groups->ready.push_back(std::move(hand));
  pump(*session);
}

// With QoS 2 it goes into the session's own queue, once.
void Keeper::take(Hand& hand, Session* session) {
  const ShardId home = owner_of(hand.forwarded.slot);
  HandTaken taken{hand.share, hand.connection, hand.forwarded, session == nullptr};
  if (session == nullptr) return host_.send(home, std::move(taken));
  if (!seen_before(slot(session->slot), session->slot, hand.forwarded)) {
    const auto decoded = message::decode(hand.message.view());
    encoded_.clear();
    encoded_.append(hand.message.view());
    keep_for(*session, decoded->message, 2, hand.retain,
             std::span(&hand.identifier, hand.identifier != 0 ? 1 : 0), 0, true);
  }
  after(Addressed{home, std::move(taken)});
}

// Sends the next message that a group has given. False: there is none, or no room.
bool Keeper::pump_groups(Session& session, WallTime now) {
  if (!session.from_groups || session.from_groups->ready.empty()) return false;
  FromGroups& from = *session.from_groups;
  const std::size_t flying = static_cast<std::size_t>(session.out.flying()) + from.flight.size();
  if (flying >= session.receive_maximum) return false;
  const Hand hand = std::move(from.ready.front());
  from.ready.pop_front();
  from.turn = false;
  const auto decoded = message::decode(hand.message.view());
  const message::Message& message = decoded->message;
  if (message.expires.ms != 0 && now > message.expires) {
    counters_.add(Count::dropped_expired);
    host_.acknowledge(Acks::Shared{hand.share, session.connection});
    return true;
  }
  do from.last_id = from.last_id == UINT16_MAX ? Outgoing::ids + 1 : from.last_id + 1;
  while (from.flight.contains(from.last_id));
  from.flight.emplace(from.last_id, hand.share);
  host_.deliver(session.connection,
                {.kind = Delivery::Kind::publish,
                 .qos = 1,
                 .retain = hand.retain,
                 .packet_id = from.last_id,
                 .generation = session.generation,
                 .identifiers = std::span(&hand.identifier, hand.identifier != 0 ? 1 : 0),
                 .message = &message});
  return true;
}

void Keeper::acknowledged(Session& session, const Acks::Item& item) {
  if (!session.from_groups) return;
  auto& flight = session.from_groups->flight;
  const auto at = flight.find(item.packet_id);
  if (at == flight.end()) return;
  host_.acknowledge(Acks::Shared{at->second, session.connection, item.declined});
  flight.erase(at);
  pump(session);
}

// ---- messages

// `encoded_` holds the message.
Reason Keeper::keep_for(Group& group, const message::Message& message, bool promised) {
  Share& share = group.share;
  if (message.qos == 0) {
    Share::Member* member = share.anybody(message.topic);
    if (member == nullptr) {
      if (share.attended()) counters_.add(Count::dropped_policy);
      return Reason::success;
    }
    const std::uint32_t identifier = member->options.identifier;
    host_.deliver(member->connection,
                  {.kind = Delivery::Kind::shared,
                   .qos = 0,
                   .retain = message.retain && member->options.retain_as_published,
                   .generation = member->generation,
                   .identifiers = std::span(&identifier, identifier != 0 ? 1 : 0),
                   .message = &message});
    return Reason::success;
  }
  if (!share.attended() && !share.keeps()) return Reason::success;
  Share::Waiting waiting;
  waiting.qos = message.qos;
  waiting.retain = message.retain;
  waiting.stored = share.stores();
  waiting.size = static_cast<std::uint32_t>(encoded_.size());
  if (waiting.stored) {
    // What was promised to its publisher is taken all the same.
    if (!promised && (!store_.accepting() || share.count() >= profile_.queue_messages_max ||
                      share.bytes() + encoded_.size() > profile_.queue_bytes_max)) {
      counters_.add(store_.accepting() ? Count::queue_refused_full : Count::queue_refused_disk);
      return Reason::quota_exceeded;
    }
    records::Entry entry;
    entry.qos = message.qos;
    entry.retain = message.retain;
    entry.message = as_text(encoded_.view());
    write(records::key(Table::group, group.slot, group.number, share.next()), entry.write());
  } else if (share.count() >= limits::queue_messages_max ||
             share.bytes() + encoded_.size() > limits::queue_bytes_max) {
    counters_.add(Count::dropped_queue_full);
    return Reason::success;
  }
  waiting.message.append(encoded_.view());
  share.add(std::move(waiting));
  pump(group);
  return Reason::success;
}

// One that was given with QoS 2, and that nobody was sent.
void Keeper::keep_again(Group& group, const Buffer& message) {
  encoded_.clear();
  encoded_.append(message.view());
  counters_.add(Count::shared_returned);
  keep_for(group, message::decode(message.view())->message, true);
}

void Keeper::gone(const Group& group, const Share::Waiting& message) {
  if (!message.stored) return;
  erase(records::key(Table::group, group.slot, group.number, message.sequence));
}

void Keeper::pump(Group& group) {
  Share& share = group.share;
  const WallTime now = host_.wall_now();
  while (Share::Waiting* front = share.front()) {
    const auto decoded = message::decode(front->message.view());
    if (decoded->message.expires.ms != 0 && now > decoded->message.expires) {
      counters_.add(Count::dropped_expired);
      gone(group, share.drop());
      continue;
    }
    const std::string_view topic = decoded->message.topic;
    if (Share::Member* member = share.taker(topic, host_.now())) {
      hand_over(group, *member, decoded->message);
      continue;
    }
    if (share.is_barred(topic)) {
      counters_.add(Count::dropped_policy);
      gone(group, share.drop());
      continue;
    }
    const auto next = share.next_taker(topic, host_.now());
    if (next && !std::exchange(group.waits, true)) {
      wake_at({*next, true, index_of(group), group.number});
    }
    break;
  }
  page_for(group);
}

// Gives the front of the queue to a member that has room.
void Keeper::hand_over(Group& group, Share::Member& member, const message::Message& message) {
  Share& share = group.share;
  const Share::Waiting& front = *share.front();
  const std::uint32_t identifier = member.options.identifier;
  Delivery delivery;
  delivery.kind = Delivery::Kind::shared;
  delivery.qos = std::min(front.qos, static_cast<std::uint8_t>(member.options.qos));
  delivery.retain = front.retain && member.options.retain_as_published;
  delivery.generation = member.generation;
  delivery.identifiers = std::span(&identifier, identifier != 0 ? 1 : 0);
  delivery.message = &message;
  delivery.share = {id_, index_of(group), group.number, front.sequence};
  if (delivery.qos == 0) {
    host_.deliver(member.connection, delivery);
    return gone(group, share.drop());
  }
  if (delivery.qos == 1 && member.id.number == 0) {
    host_.deliver(member.connection, delivery);
    share.lend(member);
    return;
  }
  Hand hand{delivery.share,
            member.id.client_id,
            member.id.number,
            member.connection,
            member.generation,
            delivery.qos,
            delivery.retain,
            identifier,
            {},
            {}};
  if (hand.qos == 2) return hand_qos2(group, member, std::move(hand));
  hand.message.append(share.lend(member).message.view());
  const auto home = partition::slot_of(partition::KeyKind::client_id, hand.client_id);
  host_.send(owner_of(home), std::move(hand));
}

// QoS 2 leaves the group when it is given, so that nobody else can be given it after a crash: a
// session takes it from this slot's promise, a clean one gets it when it is gone from the store.
void Keeper::hand_qos2(Group& group, Share::Member& member, Hand hand) {
  Share::Waiting given = group.share.give(member);
  gone(group, given);
  if (hand.number == 0) {
    hand.message = std::move(given.message);
    return after(Given{std::move(hand)});
  }
  Slot& at = slot(group.slot);
  hand.forwarded = {group.slot, number(at)};
  const std::string_view message = as_text(given.message.view());
  write(records::key(Table::hand, group.slot, hand.forwarded.sequence),
        records::Hand{group.filter, hand.client_id, hand.number, hand.retain, hand.identifier,
                      message}
            .write());
  hand.message.append(given.message.view());
  at.promises[hand.forwarded.sequence] = {group.filter, std::move(given.message)};
  const Forwarded forwarded = hand.forwarded;
  forwards_.push_back({forwarded, {}, std::make_unique<Hand>(std::move(hand))});
}

void Keeper::release(const Given& given) {
  const Hand& hand = given.hand;
  const auto decoded = message::decode(hand.message.view());
  host_.deliver(hand.connection,
                {.kind = Delivery::Kind::shared,
                 .qos = 2,
                 .retain = hand.retain,
                 .generation = hand.generation,
                 .identifiers = std::span(&hand.identifier, hand.identifier != 0 ? 1 : 0),
                 .message = &decoded->message,
                 .share = hand.share});
}

// ---- what becomes of it

void Keeper::acknowledged(const Acks::Shared& shared) {
  Group* group = find(shared.share);
  if (group == nullptr) return;
  if (shared.declined) {
    if (!group->share.decline(shared.share.sequence, shared.connection)) return;
    counters_.add(Count::shared_returned);
    return pump(*group);
  }
  const auto done = group->share.finish(shared.share.sequence, shared.connection);
  if (!done) return;
  gone(*group, *done);
  pump(*group);
}

void Keeper::handle(const HandTaken& taken) {
  auto& promises = slot(taken.forwarded.slot).promises;
  const auto at = promises.find(taken.forwarded.sequence);
  if (at == promises.end()) return;
  Promise promise = std::move(at->second);
  promises.erase(at);
  erase(records::key(Table::hand, taken.forwarded.slot, taken.forwarded.sequence));
  Group* group = find(taken.share);
  if (group != nullptr) group->share.finish(taken.share.sequence, taken.connection);
  if (taken.refused) {
    const auto known = by_share_.find(promise.filter);
    if (known == by_share_.end()) return;
    return keep_again(*groups_[known->second], promise.message);
  }
  if (group != nullptr) pump(*group);
}

void Keeper::handle(const ShareReturn& returned) {
  Group* group = find(returned.share);
  if (group == nullptr) return;
  group->share.finish(returned.share.sequence, returned.connection);
  keep_again(*group, returned.message);
}

// ---- pages

void Keeper::page_for(Group& group) {
  if (group.page_request != 0 || !group.share.wants_page()) return;
  group.page_request = ++requests_;
  pages_.push_back({Page::Of::group, Table::group, group.slot, index_of(group), group.number,
                    group.share.loaded(), group.share.next(), group.page_request, budget_.page()});
}

void Keeper::take_page(Group& group, Page& page) {
  if (group.number != page.number || group.page_request != page.request) return;
  if (page.damaged) {
    return host_.broken({Code::unavailable, "the queue of the share group '" + group.filter +
                                                "' cannot be read from the store; restore a backup "
                                                "(gnomon restore)"});
  }
  group.page_request = 0;
  for (const Page::Entry& found : page.entries) {
    records::Entry entry;
    entry.read(found.value);
    Share::Waiting waiting;
    waiting.sequence = found.sequence;
    waiting.qos = entry.qos;
    waiting.retain = entry.retain;
    waiting.stored = true;
    waiting.size = static_cast<std::uint32_t>(entry.message.size());
    waiting.message.append(as_bytes(entry.message));
    group.share.push(std::move(waiting));
  }
  group.share.loaded_to(page.read_to);
  pump(group);
}

// ---- gauges

std::uint64_t Keeper::queued() const {
  std::uint64_t queued = queued_;
  for (const auto& group : groups_) queued += group->share.count();
  return queued;
}

std::size_t Keeper::share_members() const {
  std::size_t members = 0;
  for (const auto& group : groups_) members += group->share.members();
  return members;
}

}  // namespace gnomon::broker
