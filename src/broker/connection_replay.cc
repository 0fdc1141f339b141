// Connection: retained messages for new subscriptions (retained.h).
#include <algorithm>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "broker/connection.h"
#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

void Connection::replay(Replay replay) {
  const bool none = replay.filters.empty();
  // Behind SUBSCRIBEs that are not answered yet, so that SUBACKs come in order.
  const auto others_wait = [this] {
    const auto& waiting = replays_->waiting;
    return waiting.size() > 1 || (waiting.size() == 1 && !waiting.front().acked);
  };
  if (none && (!replays_ || !others_wait())) return suback(replay.ack, std::move(replay.told));
  for (Replay::Filter& each : replay.filters) {
    each.live_qos0 = shard_.live_from(replay.interest, replay.own_from);
    if (!session_.kept) each.live_others = each.live_qos0;
  }
  if (!none) --replays_->subscribing;
  replays_->waiting.push_back(std::move(replay));
  if (replays_->waiting.size() == 1) next_replay();
}

// One that does not take its replay while so much changes is too slow to be served in order.
void Connection::note_live(std::string_view topic) {
  replays_->live.emplace(topic);
  if (replays_->live.size() == limits::replay_live_max) shard_.doom(ref_);
}

// Begins with the first that waits.
void Connection::next_replay() {
  Replay& replay = replays_->waiting.front();
  auto filters = std::make_shared<std::vector<std::string>>();
  bool wildcards = false;
  for (const Replay::Filter& each : replay.filters) {
    filters->push_back(each.filter);
    wildcards = wildcards || topic::has_wildcard(each.filter);
  }
  replay.sources.resize(shard_.peers_.size());
  const std::uint64_t request = shard_.next_request_++;
  for (Replay::Source& source : replay.sources) {
    source.request.connection = ref_;
    source.request.request = request;
    source.request.filters = filters;
    source.done = !wildcards;
  }
  for (const Replay::Filter& each : replay.filters) {
    const auto slot = partition::slot_of(partition::KeyKind::topic, each.filter);
    if (!topic::has_wildcard(each.filter)) replay.sources[shard_.owner_of(slot)].done = false;
  }
  find_status(replay);
  ask_keepers(replay);
}

// What the server tells of itself, as if it were retained.
void Connection::find_status(Replay& replay) {
  if (!shard_.status_) return;
  for (std::size_t filter = 0; filter < replay.filters.size(); ++filter) {
    const std::string& wanted = replay.filters[filter].filter;
    if (!wanted.starts_with(status_prefix)) continue;
    for (const StatusTopic& each : *shard_.status_) {
      if (!topic::matches(wanted, each.topic)) continue;
      message::Message message;
      message.topic = each.topic;
      message.payload = as_bytes(each.payload);
      Buffer encoded;
      message::encode(message, encoded);
      replay.bytes += encoded.size();
      replay.found.push_back({filter, 0, std::string(as_text(encoded.view()))});  // of no run
    }
  }
}

void Connection::ask_keepers(Replay& replay) {
  for (std::size_t shard = 0; shard < replay.sources.size(); ++shard) {
    Replay::Source& source = replay.sources[shard];
    if (source.done || source.asked) continue;
    source.asked = true;
    shard_.send(static_cast<ShardId>(shard), source.request);
  }
}

void Connection::replayed(RetainedPage& page) {
  if (!replays_ || replays_->waiting.empty()) return;
  Replay& replay = replays_->waiting.front();
  Replay::Source& source = replay.sources[page.from];
  if (!source.asked || source.request.request != page.request) return;
  source.asked = false;
  source.done = page.filter >= replay.filters.size();
  source.request.filter = page.filter;
  source.request.slot = page.slot;
  source.request.after = std::move(page.after);
  for (RetainedPage::Entry& entry : page.entries) {
    replay.bytes += entry.message.size();
    replay.found.push_back(std::move(entry));
  }
  const auto quiet = [](const Replay::Source& each) { return !each.asked; };
  if (std::all_of(replay.sources.begin(), replay.sources.end(), quiet)) send_replay();
}

// Goes on while the client takes it: neither its queue nor its output grows by what is retained.
void Connection::send_replay() {
  while (replays_ && !replays_->waiting.empty()) {
    Replay& replay = replays_->waiting.front();
    const auto asked = [](const Replay::Source& each) { return each.asked; };
    const auto done = [](const Replay::Source& each) { return each.done; };
    if (std::any_of(replay.sources.begin(), replay.sources.end(), asked)) return;
    const bool whole = std::all_of(replay.sources.begin(), replay.sources.end(), done);
    if (!replay.acked) {
      // Little is sent together with SUBACK, in front of what is published after it.
      if (!whole && replay.bytes < limits::page_bytes) return ask_keepers(replay);
      replay.acked = true;
      suback(replay.ack, std::move(replay.told));
      if (state_ != State::established) return;
    }
    for (; replay.next < replay.found.size(); ++replay.next) {
      if (stream_->pending() > limits::replay_output_bytes || session_.queue) return;
      if (!replay_one(replay, replay.found[replay.next])) return;
    }
    replay.found.clear();
    replay.next = 0;
    if (!whole) return ask_keepers(replay);
    replays_->waiting.pop_front();
    while (!replays_->waiting.empty() && replays_->waiting.front().filters.empty()) {
      Replay next = std::move(replays_->waiting.front());
      replays_->waiting.pop_front();
      suback(next.ack, std::move(next.told));
      if (state_ != State::established) return;
    }
    if (!replays_->waiting.empty()) return next_replay();
  }
  if (replays_ && replays_->subscribing == 0) replays_.reset();
}

// False: the client's window is full; it is tried again.
bool Connection::replay_one(const Replay& replay, const RetainedPage::Entry& entry) {
  const auto decoded = message::decode(as_bytes(entry.message));
  if (!decoded) return true;
  message::Message message = decoded->message;
  const Replay::Filter& to = replay.filters[entry.filter];
  const auto& live = message.qos == 0 ? to.live_qos0 : to.live_others;
  const std::size_t source = message.id >> Shard::source_shift;
  if (entry.run == shard_.run_ && source < live.size() && message.id >= live[source]) return true;
  if (replays_->live.contains(std::string(message.topic))) return true;
  const WallTime now = shard_.loop_.wall_now();
  if (message.expires.ms != 0 && now > message.expires) return true;
  if (!may_receive(message.topic)) return true;
  const std::uint8_t qos = std::min<std::uint8_t>(message.qos, to.options.qos);
  const std::uint32_t identifier = to.options.identifier;
  if (qos > 0 && session_.kept) {
    Replayed letter{*session_.kept, qos, identifier, {}};
    letter.message.append(entry.message);
    shard_.send(session_.kept->home, std::move(letter));
  } else {
    if (qos > 0 && !window_open()) return false;
    mqtt::Publish publish = to_publish(message, now);
    publish.qos = qos;
    publish.retain = true;
    send_slowly(publish, std::span(&identifier, identifier != 0 ? 1 : 0));
  }
  shard_.counters_.add(Count::retained_sent);
  return true;
}

}  // namespace gnomon::broker
