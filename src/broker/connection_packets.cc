// Connection: the packets of an established connection.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "broker/connection.h"
#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

using mqtt::Reason;

// ---- PUBLISH

// The route of a topic that this client may publish to, or null. The last one is remembered, so a
// device that publishes to one topic is neither checked nor matched again.
Route* Connection::route_to(std::string_view topic) {
  if (route_ != nullptr && route_epoch_ == shard_.routes_.epoch() && route_->topic == topic) {
    if (route_->generation != shard_.generation_) shard_.refresh(*route_);
    if (timed_) [[unlikely]]
      route_allowed_ = permissions_->may_publish(topic, false);
    return route_;
  }
  if (topic::check_name(topic) != topic::Fault::none || !allows_topic(topic)) return nullptr;
  route_ = &shard_.route(topic);
  route_epoch_ = shard_.routes_.epoch();
  route_allowed_ = !permissions_ || permissions_->may_publish(topic, false);
  return route_;
}

bool Connection::on_publish(const mqtt::Publish& publish) {
  if (rated_ && refuse_excess(publish)) return true;
  if (publish.qos > shard_.profile_.maximum_qos) {
    shard_.counters_.add(Count::publish_refused_qos);
    return disconnect(Reason::qos_not_supported, "this QoS is not supported",
                      Count::disconnects_refused);
  }
  if (publish.retain && !shard_.profile_.retain_available) {
    shard_.counters_.add(Count::publish_refused_retain);
    return disconnect(Reason::retain_not_supported, "retained messages are not supported",
                      Count::disconnects_refused);
  }
  if (publish.payload.size() > shard_.profile_.payload_bytes_max) {
    shard_.counters_.add(Count::publish_refused_size);
    return disconnect(Reason::packet_too_large, "the payload is too large",
                      Count::disconnects_refused);
  }
  const bool reserved = publish.topic.starts_with('$');
  if (reserved) [[unlikely]] {
    if (const char* what = check_reserved(publish)) return refuse_reserved(publish, what);
    if (reserved_use(publish.topic) != ReservedUse::request) return publish_reserved(publish);
  }
  Route* route = route_to(publish.topic);
  if (route == nullptr) {
    const topic::Fault fault = topic::check_name(publish.topic);
    return refuse_publish(publish, Reason::topic_name_invalid,
                          fault == topic::Fault::none ? "the topic is too long or too deep"
                                                      : topic::describe(fault).data(),
                          Count::publish_refused_topic);
  }
  if (!route_allowed_ || (publish.retain && !may_retain(publish.topic))) {
    return refuse_publish(publish, Reason::not_authorized, "its identity may not publish this",
                          Count::publish_refused_policy);
  }
  bool late = false;
  if (shard_.is_alert()) [[unlikely]] {
    heavy_ = exceeds_share(publish, *route);
    late = heavy_ && shard_.pressure_ != Pressure::none;
    if (late && shard_.pressure_ == Pressure::refuse) return refuse_overload(publish);
  }
  message::Message message;
  message.topic = publish.topic;
  message.payload = publish.payload;
  message.properties = publish.properties;
  message.qos = publish.qos;
  message.retain = publish.retain;
  message.received = shard_.loop_.wall_now();
  if (publish.expiry_seconds) {
    message.expires =
        message.received + std::chrono::seconds(std::int64_t{expiry_of(*publish.expiry_seconds)});
  }
  message.origin.client_id = client_id_;
  message.origin.generation = generation_;
  message.origin.principal = principal_;
  constexpr Count counts[] = {Count::received_qos0, Count::received_qos1, Count::received_qos2};
  shard_.counters_.add(counts[publish.qos]);
  if (publish.qos == 2) {
    if (session_.kept) return publish_kept(publish, message, late);
    if (is_duplicate(publish)) return true;
  }
  message.id = shard_.next_message_id_++;

  const Shard::Published published = shard_.publish(message, *route, this);
  if (published.behind != 0 || shard_.behind()) park();
  if (publish.qos == 0) {
    if (reserved) ask_service(publish, 0);
    return true;
  }
  const int obligations = Shard::obligations(published) + (reserved ? 1 : 0);
  // The acknowledgement leaves at once if nothing it promises is outstanding, else when it is met.
  if (obligations == 0 && !tickets_ && !late) {
    return acknowledge(publish.packet_id, publish.qos, Reason::success);
  }
  if (!tickets_) tickets_ = std::make_unique<Tickets>();
  const Tickets::Number ticket =
      tickets_->open(publish.packet_id, publish.qos, obligations + (late ? 1 : 0));
  if (late) withhold(ticket, publish, *route);
  if (published.refused != Reason::success) tickets_->fail(ticket, published.refused);
  shard_.await(published, ref_, ticket);
  if (reserved) ask_service(publish, ticket);
  return true;
}

// QoS 2 of a clean session: the ids are in memory, and end with the connection.
bool Connection::is_duplicate(const mqtt::Publish& publish) {
  if (!session_.received) session_.received = std::make_unique<mqtt::ReceivedIds>();
  if (session_.received->insert(publish.packet_id)) return false;
  shard_.counters_.add(Count::duplicates);
  // While the first one is not acknowledged, its PUBREC answers both.
  if (tickets_ && tickets_->has_qos2(publish.packet_id)) return true;
  acknowledge(publish.packet_id, 2, Reason::success);
  return true;
}

// QoS 2 of a persistent session: its home remembers the id, and passes the message on.
bool Connection::publish_kept(const mqtt::Publish& publish, const message::Message& message,
                              bool late) {
  if (!tickets_) tickets_ = std::make_unique<Tickets>();
  const Tickets::Number ticket = tickets_->open(publish.packet_id, 2, late ? 2 : 1);
  if (late) withhold(ticket, publish, *route_);
  Receive receive{*session_.kept, ref_, publish.packet_id, ticket, {}};
  message::encode(message, receive.message);
  shard_.send(session_.kept->home, std::move(receive));
  return true;
}

bool Connection::refuse_publish(const mqtt::Publish& publish, Reason reason, const char* what,
                                Count count) {
  shard_.counters_.add(count);
  // 3.1.1 §3.3.5: a server that refuses a PUBLISH either acknowledges it all the same or closes.
  if (!machine_.is_v5() || publish.qos == 0) {
    return disconnect(reason, what, Count::disconnects_refused);
  }
  const auto type = publish.qos == 1 ? mqtt::PacketType::puback : mqtt::PacketType::pubrec;
  machine_.ack({type, publish.packet_id, reason, what}, shard_.answers_);
  return true;
}

// PUBACK or PUBREC. False: it cannot be said in this version, and the connection has ended.
bool Connection::acknowledge(std::uint16_t packet_id, std::uint8_t qos, Reason reason) {
  const auto type = qos == 1 ? mqtt::PacketType::puback : mqtt::PacketType::pubrec;
  const bool refused = reason >= Reason::unspecified_error;
  if (refused) {
    shard_.counters_.add(Count::publish_refused_quota);
    if (qos == 2 && session_.received) session_.received->erase(packet_id);
  }
  if (machine_.ack({type, packet_id, reason, {}}, shard_.answers_)) return true;
  end(Count::disconnects_refused, WillFate::publish, DisconnectReason::throttled);
  return false;
}

void Connection::settle(Tickets::Number ticket, Reason reason) {
  if (!tickets_ || state_ != State::established) return;
  tickets_->settle(ticket, reason);
  Tickets::Closed closed;
  while (tickets_->next(closed)) {
    if (!acknowledge(closed.packet_id, closed.qos, closed.reason)) return;
  }
  if (tickets_->empty()) tickets_.reset();
  flush_answers();
  if (held_ && !held_->due && (!tickets_ || tickets_->size() <= shard_receive_maximum() / 2)) {
    held_->due = true;
    shard_.unholding_.push_back(ref_);
  }
}

// ---- acknowledgements of what was sent to this client

bool Connection::on_ack(const mqtt::Ack& ack) {
  if (ack.type != mqtt::PacketType::puback && shard_.profile_.maximum_qos < 2) {
    return disconnect(Reason::protocol_error, "QoS 2 is not supported",
                      Count::disconnects_protocol);
  }
  if (ack.type == mqtt::PacketType::pubrel) return on_pubrel(ack.packet_id);
  const bool failed = ack.reason >= Reason::unspecified_error;
  if (resending_) forget_sent(ack.packet_id);
  if (session_.kept) {
    shard_.acknowledge({*session_.kept, ack.packet_id, ack.type, failed});
    return true;
  }
  using Outcome = mqtt::SendWindow::Outcome;
  auto outcome = Outcome::unknown;
  switch (ack.type) {
    case mqtt::PacketType::puback:
      outcome = session_.window.puback(ack.packet_id);
      break;
    case mqtt::PacketType::pubrec: {
      outcome = session_.window.pubrec(ack.packet_id, failed);
      if (outcome == Outcome::done) break;
      if (failed) return true;
      machine_.ack(
          {mqtt::PacketType::pubrel,
           ack.packet_id,
           outcome == Outcome::unknown ? Reason::packet_identifier_not_found : Reason::success,
           {}},
          shard_.answers_);
      return true;
    }
    default:
      outcome = session_.window.pubcomp(ack.packet_id);
      break;
  }
  if (session_.shares && outcome == Outcome::done) finish_shared(ack.packet_id);
  if (session_.queue) pump_queue();
  if (replays_) send_replay();
  return true;
}

bool Connection::on_pubrel(std::uint16_t packet_id) {
  if (session_.kept) {
    shard_.send(session_.kept->home, ReleaseId{*session_.kept, ref_, packet_id});
    return true;
  }
  const bool known = session_.received && session_.received->erase(packet_id);
  machine_.ack({mqtt::PacketType::pubcomp,
                packet_id,
                known ? Reason::success : Reason::packet_identifier_not_found,
                {}},
               shard_.answers_);
  return true;
}

// ---- SUBSCRIBE, UNSUBSCRIBE

Reason Connection::check_entry(const mqtt::SubscribeEntry& entry) const {
  if (topic::check_filter(entry.filter) != topic::Fault::none || !allows_filter(entry.filter)) {
    return Reason::topic_filter_invalid;
  }
  if (!shard_.profile_.shared_subscription_available &&
      !topic::split_shared(entry.filter).name.empty()) {
    return Reason::shared_subscriptions_not_supported;
  }
  if (permissions_ && !permissions_->may_subscribe(entry.filter)) {
    return Reason::not_authorized;
  }
  if (!shard_.rates_.may_subscribe(shard_.loop_.now())) return Reason::quota_exceeded;
  return Reason::success;
}

topic::Options Connection::options_of(const mqtt::SubscribeEntry& entry,
                                      std::uint32_t identifier) const {
  topic::Options options;
  options.qos = std::min(entry.qos, shard_.profile_.maximum_qos) & 3U;
  options.no_local = entry.no_local;
  options.retain_as_published = entry.retain_as_published;
  options.retain_handling = entry.retain_handling & 3U;
  options.identifier = identifier;
  return options;
}

namespace {

// What a refused filter counts as.
Count count_of(Reason reason) {
  switch (reason) {
    case Reason::quota_exceeded:
      return Count::subscribe_refused_quota;
    case Reason::not_authorized:
      return Count::subscribe_refused_policy;
    case Reason::shared_subscriptions_not_supported:
    case Reason::wildcard_subscriptions_not_supported:
      return Count::subscribe_refused_unsupported;
    default:
      return Count::subscribe_refused_filter;
  }
}

// Whether a SUBSCRIBE is to be answered with what is retained (MQTT 5 §3.8.3.1).
bool wants_retained(const Profile& profile, std::string_view filter, const topic::Options& options,
                    bool existed) {
  if (!profile.retain_available) return false;
  if (!profile.retained_for_wildcards && topic::has_wildcard(filter)) return false;
  return options.retain_handling == 0 || (options.retain_handling == 1 && !existed);
}

}  // namespace

bool Connection::may_subscribe_more(bool existed) const {
  const std::size_t shared = session_.shares ? session_.shares->filters.size() : 0;
  return existed || session_.filters.size() + shared < shard_.profile_.subscriptions_per_session;
}

Reason Connection::subscribe_one(const mqtt::SubscribeEntry& entry, std::uint32_t identifier,
                                 Replay& replay, std::vector<ShareJoin>& joins) {
  if (const Reason reason = check_entry(entry); reason != Reason::success) return reason;
  if (!topic::split_shared(entry.filter).name.empty()) return join_group(entry, identifier, joins);
  if (!may_subscribe_more(false) && !shard_.is_subscribed(*this, entry.filter)) {
    return Reason::quota_exceeded;
  }
  const topic::Options options = options_of(entry, identifier);
  const Shard::Subscribed subscribed = shard_.subscribe(*this, entry.filter, options);
  if (wants_retained(shard_.profile_, entry.filter, options, subscribed.existed)) {
    replay.filters.push_back({std::string(entry.filter), options, {}, {}});
  }
  return static_cast<Reason>(options.qos);
}

bool Connection::on_subscribe(const mqtt::Subscribe& subscribe) {
  const Profile& profile = shard_.profile_;
  if (subscribe.identifier != 0 && !profile.subscription_identifiers_available) {
    return disconnect(Reason::subscription_identifiers_not_supported,
                      "subscription identifiers are not supported", Count::disconnects_refused);
  }
  // 3.1.1 cannot be told a lower QoS before it asks; AWS IoT answers nothing and closes.
  const auto is_too_high = [&](const mqtt::SubscribeEntry& entry) {
    return entry.qos > profile.maximum_qos;
  };
  if (!machine_.is_v5() && profile.maximum_qos < 2 &&
      std::any_of(subscribe.entries.begin(), subscribe.entries.end(), is_too_high)) {
    return disconnect(Reason::qos_not_supported, "this QoS is not supported",
                      Count::disconnects_refused);
  }
  const bool too_many =
      subscribe.entries.size() > static_cast<std::size_t>(profile.subscriptions_per_packet);
  if (session_.kept && !too_many) return subscribe_kept(subscribe);
  Replay replay;
  std::vector<ShareJoin> joins;
  mqtt::SubscribeAck& ack = replay.ack;
  ack.type = mqtt::PacketType::suback;
  ack.packet_id = subscribe.packet_id;
  const bool told = shard_.may_tell_events();
  for (const mqtt::SubscribeEntry& entry : subscribe.entries) {
    if (told) replay.told.emplace_back(entry.filter);
    const std::size_t joining = joins.size();
    const Reason reason = too_many ? Reason::quota_exceeded
                                   : subscribe_one(entry, subscribe.identifier, replay, joins);
    if (joins.size() > joining) {
      joins.back().entry = static_cast<std::uint16_t>(ack.reasons.size());
    }
    if (reason >= Reason::unspecified_error) {
      shard_.counters_.add(count_of(reason));
      // 3.1 has no way to say no to one filter.
      if (machine_.version() == mqtt::Version::v31) {
        return disconnect(reason, "a filter is refused", Count::disconnects_refused);
      }
    }
    ack.reasons.push_back(reason);
  }
  expect_replay(replay);
  shard_.suback(*this, std::move(replay), std::move(joins));
  return state_ == State::established;
}

// ---- share groups, for a clean session

Reason Connection::join_group(const mqtt::SubscribeEntry& entry, std::uint32_t identifier,
                              std::vector<ShareJoin>& joins) {
  if (!session_.shares) session_.shares = std::make_unique<Session::Shares>();
  auto& filters = session_.shares->filters;
  const bool existed = std::find(filters.begin(), filters.end(), entry.filter) != filters.end();
  if (!may_subscribe_more(existed)) return Reason::quota_exceeded;
  if (!existed) filters.emplace_back(entry.filter);
  ShareJoin join;
  join.filter = entry.filter;
  join.member.connection = ref_;
  join.options = options_of(entry, identifier);
  join.online = true;
  join.connection = ref_;
  join.permissions = permissions_;
  join.generation = generation_;
  join.receive_maximum = std::min(machine_.peer_receive_maximum(), shard_.profile_.inflight_max);
  const auto granted = static_cast<Reason>(join.options.qos);
  joins.push_back(std::move(join));
  return granted;
}

void Connection::group_refused(const std::string& filter) {
  if (session_.shares) std::erase(session_.shares->filters, filter);
  shard_.counters_.add(Count::subscribe_refused_quota);
  if (machine_.version() != mqtt::Version::v31) return;
  disconnect(Reason::quota_exceeded, "a filter is refused", Count::disconnects_refused);
}

Reason Connection::leave_group(std::string_view filter) {
  if (!session_.shares) return Reason::no_subscription_existed;
  auto& filters = session_.shares->filters;
  const auto at = std::find(filters.begin(), filters.end(), filter);
  if (at == filters.end()) return Reason::no_subscription_existed;
  shard_.send_group(*at, ShareLeave{*at, {{}, 0, ref_}, true});
  filters.erase(at);
  return Reason::success;
}

// What a group gave with QoS 2 and was not sent goes back to it; of QoS 1 it knows itself.
void Connection::leave_groups() {
  if (!session_.shares) return;
  if (session_.queue) {
    for (const Queued& queued : session_.queue->messages) {
      if (queued.share.sequence == 0 || queued.qos < 2) continue;
      ShareReturn back{queued.share, ref_, {}};
      back.message.append(queued.message.view());
      shard_.send(queued.share.home, std::move(back));
    }
  }
  for (const std::string& filter : session_.shares->filters) {
    shard_.send_group(filter, ShareLeave{filter, {{}, 0, ref_}, true});
  }
  session_.shares.reset();
}

// The home of the session writes it down; its answer is changed().
bool Connection::subscribe_kept(const mqtt::Subscribe& subscribe) {
  Change change;
  change.session = *session_.kept;
  change.connection = ref_;
  change.packet_id = subscribe.packet_id;
  for (const mqtt::SubscribeEntry& each : subscribe.entries) {
    Change::Entry& entry = change.entries.emplace_back();
    entry.filter = each.filter;
    entry.options = options_of(each, subscribe.identifier);
    entry.reason = check_entry(each);
  }
  shard_.send(session_.kept->home, std::move(change));
  return true;
}

bool Connection::unsubscribe_kept(const mqtt::Unsubscribe& unsubscribe) {
  Change change;
  change.session = *session_.kept;
  change.connection = ref_;
  change.packet_id = unsubscribe.packet_id;
  change.subscribe = false;
  for (const std::string_view filter : unsubscribe.filters) {
    Change::Entry& entry = change.entries.emplace_back();
    entry.filter = filter;
    if (topic::check_filter(filter) != topic::Fault::none) {
      entry.reason = Reason::topic_filter_invalid;
    }
  }
  shard_.send(session_.kept->home, std::move(change));
  return true;
}

void Connection::changed(Change& change) {
  if (state_ != State::established) return;
  Replay replay;
  mqtt::SubscribeAck& ack = replay.ack;
  ack.type = change.subscribe ? mqtt::PacketType::suback : mqtt::PacketType::unsuback;
  ack.packet_id = change.packet_id;
  const bool told = shard_.may_tell_events();
  for (Change::Entry& entry : change.entries) {
    if (told) replay.told.push_back(entry.filter);
    ack.reasons.push_back(entry.reason);
    const bool refused = entry.reason >= Reason::unspecified_error;
    const bool shared = !topic::split_shared(entry.filter).name.empty();
    if (!change.subscribe) {
      if (!refused && !shared) shard_.unsubscribe(*this, entry.filter);
      continue;
    }
    if (refused) {
      shard_.counters_.add(count_of(entry.reason));
      if (machine_.version() == mqtt::Version::v31) {
        disconnect(entry.reason, "a filter is refused", Count::disconnects_refused);
        return;
      }
      continue;
    }
    ack.reasons.back() = static_cast<Reason>(entry.options.qos);
    if (shared) continue;  // its home delivers, and nothing is replayed
    shard_.subscribe(*this, entry.filter, entry.options);
    if (!wants_retained(shard_.profile_, entry.filter, entry.options, entry.existed)) continue;
    replay.filters.push_back(
        {std::move(entry.filter), entry.options, {}, entry.fresh ? change.live_from : change.seen});
  }
  if (!change.subscribe) return suback(ack, std::move(replay.told));
  expect_replay(replay);
  shard_.suback(*this, std::move(replay));
}

// From now on topics that arrive live are noted.
void Connection::expect_replay(Replay& replay) {
  if (replay.filters.empty()) return;
  replay.own_from = shard_.next_message_id_;
  if (!replays_) replays_ = std::make_unique<Replays>();
  ++replays_->subscribing;
}

void Connection::suback(const mqtt::SubscribeAck& ack, std::vector<std::string> filters) {
  if (!machine_.suback(ack, shard_.answers_)) {
    return end(Count::disconnects_refused, WillFate::publish, DisconnectReason::client_error);
  }
  flush_answers();
  if (filters.empty()) return;
  // Of what has come of it: neither what was refused nor what was not there.
  std::vector<std::string> changed;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const Reason reason = ack.reasons[i];
    const bool done = ack.type == mqtt::PacketType::suback ? reason < Reason::unspecified_error
                                                           : reason == Reason::success;
    if (done) changed.push_back(std::move(filters[i]));
  }
  if (changed.empty()) return;
  shard_.send_home(client_id_,
                   SubscriptionsChanged{client_id_, ref_, principal_,
                                        ack.type == mqtt::PacketType::suback, std::move(changed)});
}

bool Connection::on_unsubscribe(const mqtt::Unsubscribe& unsubscribe) {
  if (session_.kept) return unsubscribe_kept(unsubscribe);
  mqtt::SubscribeAck& ack = shard_.subscribe_ack_;
  ack.type = mqtt::PacketType::unsuback;
  ack.packet_id = unsubscribe.packet_id;
  ack.reasons.clear();
  std::vector<std::string> told;
  if (shard_.may_tell_events()) told.assign(unsubscribe.filters.begin(), unsubscribe.filters.end());
  for (const std::string_view filter : unsubscribe.filters) {
    if (topic::check_filter(filter) != topic::Fault::none) {
      ack.reasons.push_back(Reason::topic_filter_invalid);
    } else if (!topic::split_shared(filter).name.empty()) {
      ack.reasons.push_back(leave_group(filter));
    } else {
      ack.reasons.push_back(shard_.unsubscribe(*this, filter) ? Reason::success
                                                              : Reason::no_subscription_existed);
    }
  }
  suback(ack, std::move(told));
  return state_ == State::established;
}

}  // namespace gnomon::broker
