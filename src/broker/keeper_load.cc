// Keeper: what a run before this one has left in the store.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "broker/keeper.h"
#include "topic/topic.h"

namespace gnomon::broker {

using partition::SlotId;
using records::Table;

namespace {

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes.substr(0, 64)) {
    out += digits[static_cast<unsigned char>(c) >> 4U];
    out += digits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

// Walks one table of one slot. `each(rest of the key, value)` returns false for what is damaged.
template <class F>
Result<void> walk(const store::Store& store, Table table, SlotId id, F&& each) {
  const std::string begin = records::prefix(table, id);
  std::string damaged;
  auto scanned =
      store.scan(begin, records::behind(begin), [&](std::string_view key, std::string_view value) {
        if (each(records::rest(key), value)) return true;
        damaged = key;
        return false;
      });
  if (!scanned || damaged.empty()) return scanned;
  return Error{Code::unavailable, "the store holds a damaged record under the key " + hex(damaged) +
                                      "; restore a backup (gnomon restore)"};
}

}  // namespace

Result<void> Keeper::load() {
  for (int id = 0; id < partition::slots; ++id) {
    const SlotId slot_id(static_cast<std::uint8_t>(id));
    if (!owns(slot_id)) continue;
    if (auto loaded = load_slot(slot_id); !loaded) return loaded;
  }
  return {};
}

Result<void> Keeper::load_slot(SlotId id) {
  std::unordered_map<std::uint64_t, std::uint32_t> by_number;
  std::vector<std::uint32_t> found_open;
  const WallTime now = host_.wall_now();
  const auto session_of = [&](std::string_view& rest) -> Session* {
    const auto found = by_number.find(records::take_number(rest));
    return found == by_number.end() ? nullptr : sessions_[found->second].get();
  };

  auto walked =
      walk(store_, Table::session, id, [&](std::string_view rest, std::string_view value) {
        records::Session record;
        if (!record.read(value)) return false;
        const auto index = static_cast<std::uint32_t>(sessions_.size());
        Session& session = *sessions_.emplace_back(std::make_unique<Session>(budget_));
        session.client_id = rest;
        session.slot = id;
        session.number = record.number;
        session.expiry_seconds = record.expiry_seconds;
        const bool was_open = record.gone.ms == 0;
        session.gone = was_open ? now : record.gone;
        ++away_;
        session.out.set_sent_to(record.sent_to);
        if (was_open) found_open.push_back(index);
        by_client_.emplace(session.client_id, index);
        by_number.emplace(session.number, index);
        schedule(end_of(session), session.client_id);
        return true;
      });
  if (!walked) return walked;

  walked =
      walk(store_, Table::subscription, id, [&](std::string_view rest, std::string_view value) {
        std::string_view filter = rest;
        const std::uint64_t number = records::take_number(filter);
        records::Subscription record;
        if (!record.read(value)) return false;
        const auto found = by_number.find(number);
        if (found == by_number.end()) {
          erase(records::key(Table::subscription, id, number, filter));
          return true;
        }
        if (!topic::split_shared(filter).name.empty()) {
          sessions_[found->second]->shares.push_back({std::string(filter), record.options});
          return true;
        }
        const auto added = index_.add(filter, found->second, record.options);
        sessions_[found->second]->filters.push_back({added.filter, record.options});
        if (added.first_subscriber) loaded_filters_.emplace_back(filter);
        return true;
      });
  if (!walked) return walked;

  std::map<std::uint64_t, Purge> orphans;  // queues whose session was purged
  walked = walk(store_, Table::queue, id, [&](std::string_view rest, std::string_view value) {
    std::string_view numbers = rest;
    const std::uint64_t number = records::take_number(numbers);
    const std::uint64_t sequence = records::take_number(numbers);
    records::Entry entry;
    if (!numbers.empty() || !entry.read(value)) return false;
    if (entry.body != 0) ++slot(id).bodies[entry.body];
    const auto found = by_number.find(number);
    if (found == by_number.end()) {
      auto& orphan =
          orphans.try_emplace(number, Purge{Table::queue, id, number, sequence, 0}).first->second;
      orphan.to = sequence + 1;
      return true;
    }
    sessions_[found->second]->out.found(sequence, value.size());
    ++queued_;
    return true;
  });
  if (!walked) return walked;
  for (const auto& [number, purge] : orphans) purges_.push_back(purge);
  for (const std::uint32_t index : found_open) {
    // What a connected session had may have been sent, so it is sent again with DUP.
    sessions_[index]->out.set_sent_to(sessions_[index]->out.next());
    write_session(*sessions_[index]);
  }
  for (const auto& [number, index] : by_number) {
    // An empty queue has begun anew: its sequences, though sent before, are of new messages.
    Outgoing& out = sessions_[index]->out;
    if (out.sent_to() <= out.next()) continue;
    out.set_sent_to(out.next());
    write_session(*sessions_[index]);
  }

  walked = walk(store_, Table::body, id, [&](std::string_view rest, std::string_view) {
    const std::uint64_t body = records::take_number(rest);
    if (!slot(id).bodies.contains(body)) erase(records::key(Table::body, id, body));
    return true;
  });
  if (!walked) return walked;

  walked = walk(store_, Table::received, id, [&](std::string_view rest, std::string_view value) {
    std::uint64_t sequence = 0;
    if (!records::read_number(value, sequence)) return false;
    std::string_view numbers = rest;
    Session* session = session_of(numbers);
    const auto packet_id = static_cast<std::uint16_t>(records::take_number(numbers));
    if (session != nullptr) session->received.push_back(packet_id);
    return packet_id != 0;
  });
  if (!walked) return walked;

  walked = walk(store_, Table::forward, id, [&](std::string_view rest, std::string_view value) {
    if (!message::decode(as_bytes(value))) return false;
    slot(id).forwards.push_back({{id, records::take_number(rest)}, std::string(value), nullptr});
    return true;
  });
  if (!walked) return walked;
  if (walked = load_groups(id); !walked) return walked;

  const std::string retained = records::prefix(Table::retained, id);
  walked = store_.scan(retained, records::behind(retained), [&](std::string_view key, auto) {
    slot(id).retains = true;
    note_retained(records::rest(key));
    return profile_.retained_messages_max != 0;  // else one is enough
  });
  if (!walked) return walked;

  walked = walk(store_, Table::mark, id, [&](std::string_view rest, std::string_view value) {
    std::uint64_t mark = 0;
    if (rest.size() != 1 || !records::read_number(value, mark)) return false;
    slot(id).marks[static_cast<std::uint8_t>(rest[0])] = mark;
    return true;
  });
  if (!walked) return walked;

  walked = walk(store_, Table::presence, id, [&](std::string_view rest, std::string_view value) {
    records::Presence record;
    if (!record.read(value)) return false;
    note_left_open(rest, std::move(record), now + profile_.will_grace);
    return true;
  });
  if (!walked) return walked;

  return walk(store_, Table::will, id, [&](std::string_view rest, std::string_view value) {
    records::Will will;
    if (!will.read(value) || !message::decode(as_bytes(will.message))) return false;
    // Its connection was open when the server ended: due, unless the client comes back soon.
    if (will.due.ms == 0) {
      will.grace = true;
      will.due = now + profile_.will_grace;
    }
    schedule(will.due, std::string(rest));
    wills_.emplace(rest, std::move(will));
    return true;
  });
}

// Share groups have no members yet: those are the sessions', and adopt() brings them.
Result<void> Keeper::load_groups(SlotId id) {
  std::unordered_map<std::uint64_t, Group*> by_number;
  auto walked = walk(store_, Table::share, id, [&](std::string_view rest, std::string_view value) {
    Group& group = group_of(std::string(rest));
    group.recorded = true;
    return records::read_number(value, group.number) &&
           by_number.emplace(group.number, &group).second;
  });
  if (!walked) return walked;
  walked = walk(store_, Table::group, id, [&](std::string_view rest, std::string_view value) {
    const std::uint64_t number = records::take_number(rest);
    const std::uint64_t sequence = records::take_number(rest);
    records::Entry entry;
    if (!rest.empty() || !entry.read(value)) return false;
    const auto found = by_number.find(number);
    if (found != by_number.end()) {
      found->second->share.found(sequence, entry.message.size());
    } else if (!purges_.empty() && purges_.back().number == number) {
      purges_.back().to = sequence + 1;
    } else {
      purges_.push_back({Table::group, id, number, sequence, sequence + 1});
    }
    return true;
  });
  if (!walked) return walked;
  return walk(store_, Table::hand, id, [&](std::string_view rest, std::string_view value) {
    const std::uint64_t sequence = records::take_number(rest);
    records::Hand record;
    if (!rest.empty() || !record.read(value) || !message::decode(as_bytes(record.message))) {
      return false;
    }
    auto hand = std::make_unique<Hand>();
    hand->share.home = id_;
    hand->client_id = record.client_id;
    hand->number = record.number;
    hand->qos = 2;
    hand->retain = record.retain;
    hand->identifier = record.identifier;
    hand->forwarded = {id, sequence};
    hand->message.append(as_bytes(record.message));
    Promise& promise = slot(id).promises[sequence];
    promise.filter = record.filter;
    promise.message.append(as_bytes(record.message));
    slot(id).forwards.push_back({{id, sequence}, {}, std::move(hand)});
    return true;
  });
}

void Keeper::resume() {
  for (auto& slot : slots_) {
    if (slot == nullptr) continue;
    auto forwards = std::exchange(slot->forwards, {});
    std::sort(forwards.begin(), forwards.end(), [](const Forward& a, const Forward& b) {
      return a.forwarded.sequence < b.forwarded.sequence;
    });
    std::move(forwards.begin(), forwards.end(), std::back_inserter(forwards_));
  }
  // A group that nobody is kept for has lost its last member with the server.
  for (const auto& group : groups_) {
    if (group->number != 0 && !group->share.keeps()) end_group(*group);
  }
  purge_next();
  pass_on();
}

}  // namespace gnomon::broker
