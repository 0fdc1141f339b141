// Connection: the packets of an established connection.
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
    return route_;
  }
  if (topic::check_name(topic) != topic::Fault::none) return nullptr;
  route_ = &shard_.route(topic);
  route_epoch_ = shard_.routes_.epoch();
  return route_;
}

bool Connection::on_publish(const mqtt::Publish& publish) {
  if (publish.qos > shard_.profile_.maximum_qos) {
    shard_.counters_.add(Count::publish_refused_qos);
    return disconnect(Reason::qos_not_supported, "QoS 2 is not supported",
                      Count::disconnects_refused);
  }
  if (publish.retain && !shard_.profile_.retain_available) {
    shard_.counters_.add(Count::publish_refused_retain);
    return disconnect(Reason::retain_not_supported, "retained messages are not supported",
                      Count::disconnects_refused);
  }
  if (!publish.topic.empty() && publish.topic.front() == '$') {
    return refuse_publish(publish, Reason::not_authorized, "topics that begin with $ are reserved",
                          Count::publish_refused_reserved);
  }
  Route* route = route_to(publish.topic);
  if (route == nullptr) {
    return refuse_publish(publish, Reason::topic_name_invalid,
                          topic::describe(topic::check_name(publish.topic)).data(),
                          Count::publish_refused_topic);
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
        message.received + std::chrono::seconds(std::int64_t{*publish.expiry_seconds});
  }
  message.origin.client_id = client_id_;
  message.origin.generation = generation_;
  message.origin.principal = "local";
  message.id = shard_.next_message_id_++;
  shard_.counters_.add(publish.qos == 0 ? Count::received_qos0 : Count::received_qos1);

  const int behind = shard_.publish(message, *route, this);
  if (publish.qos > 0) acknowledge(publish, behind);
  if (behind > 0) park();
  return true;
}

bool Connection::refuse_publish(const mqtt::Publish& publish, Reason reason, const char* what,
                                Count count) {
  shard_.counters_.add(count);
  // 3.1.1 §3.3.5: a server that refuses a PUBLISH either acknowledges it all the same or closes.
  if (!machine_.is_v5() || publish.qos == 0) {
    return disconnect(reason, what, Count::disconnects_refused);
  }
  machine_.ack({mqtt::PacketType::puback, publish.packet_id, reason, what}, shard_.answers_);
  return true;
}

// The PUBACK leaves at once if nothing it promises is outstanding, else when it is.
void Connection::acknowledge(const mqtt::Publish& publish, int obligations) {
  if (obligations == 0 && !tickets_) {
    machine_.ack({mqtt::PacketType::puback, publish.packet_id, Reason::success, {}},
                 shard_.answers_);
    return;
  }
  if (!tickets_) tickets_ = std::make_unique<Tickets>();
  const Tickets::Number ticket = tickets_->open(publish.packet_id, obligations);
  if (obligations > 0) shard_.await_handover(*route_, ref_, ticket);
}

void Connection::settle(Tickets::Number ticket) {
  if (!tickets_) return;
  tickets_->settle(ticket);
  Tickets::Closed closed;
  while (tickets_->next(closed)) {
    machine_.ack({mqtt::PacketType::puback, closed.packet_id, closed.reason, {}}, shard_.answers_);
  }
  if (tickets_->empty()) tickets_.reset();
  flush_answers();
}

// ---- acknowledgements of what was sent to this client

bool Connection::on_ack(const mqtt::Ack& ack) {
  using Outcome = mqtt::SendWindow::Outcome;
  switch (ack.type) {
    case mqtt::PacketType::puback:
      session_.window.puback(ack.packet_id);
      if (session_.queue) pump_queue();
      return true;
    case mqtt::PacketType::pubrec:
      // Nothing is sent with QoS 2 yet, so there is nothing to release.
      if (session_.window.pubrec(ack.packet_id, ack.reason >= Reason::unspecified_error) ==
          Outcome::unknown) {
        machine_.ack(
            {mqtt::PacketType::pubrel, ack.packet_id, Reason::packet_identifier_not_found, {}},
            shard_.answers_);
      }
      return true;
    case mqtt::PacketType::pubrel:
      machine_.ack(
          {mqtt::PacketType::pubcomp, ack.packet_id, Reason::packet_identifier_not_found, {}},
          shard_.answers_);
      return true;
    default:
      return true;  // PUBCOMP of nothing: no answer is defined (MQTT 5 §4.3.3)
  }
}

// ---- SUBSCRIBE, UNSUBSCRIBE

Reason Connection::subscribe_one(const mqtt::SubscribeEntry& entry, std::uint32_t identifier) {
  if (topic::check_filter(entry.filter) != topic::Fault::none) return Reason::topic_filter_invalid;
  if (!topic::split_shared(entry.filter).name.empty()) {
    return Reason::shared_subscriptions_not_supported;
  }
  if (session_.filters.size() >= limits::subscriptions_per_session &&
      !shard_.is_subscribed(*this, entry.filter)) {
    return Reason::quota_exceeded;
  }
  topic::Options options;
  options.qos = std::min(entry.qos, shard_.profile_.maximum_qos) & 3U;
  options.no_local = entry.no_local;
  options.retain_as_published = entry.retain_as_published;
  options.retain_handling = entry.retain_handling & 3U;
  options.identifier = identifier;
  shard_.subscribe(*this, entry.filter, options);
  return static_cast<Reason>(options.qos);
}

bool Connection::on_subscribe(const mqtt::Subscribe& subscribe) {
  mqtt::SubscribeAck& ack = shard_.subscribe_ack_;
  ack.type = mqtt::PacketType::suback;
  ack.packet_id = subscribe.packet_id;
  ack.reasons.clear();
  const bool too_many = subscribe.entries.size() > limits::subscriptions_per_packet;
  for (const mqtt::SubscribeEntry& entry : subscribe.entries) {
    const Reason reason =
        too_many ? Reason::quota_exceeded : subscribe_one(entry, subscribe.identifier);
    if (reason >= Reason::unspecified_error) {
      shard_.counters_.add(Count::subscribe_refused);
      // 3.1 has no way to say no to one filter.
      if (machine_.version() == mqtt::Version::v31) {
        return disconnect(reason, "a filter is refused", Count::disconnects_refused);
      }
    }
    ack.reasons.push_back(reason);
  }
  shard_.suback(*this, ack);
  return state_ == State::established;
}

void Connection::suback(const mqtt::SubscribeAck& ack) {
  if (!machine_.suback(ack, shard_.answers_)) {
    return end(Count::disconnects_refused, WillFate::publish);
  }
  flush_answers();
}

bool Connection::on_unsubscribe(const mqtt::Unsubscribe& unsubscribe) {
  mqtt::SubscribeAck& ack = shard_.subscribe_ack_;
  ack.type = mqtt::PacketType::unsuback;
  ack.packet_id = unsubscribe.packet_id;
  ack.reasons.clear();
  for (const std::string_view filter : unsubscribe.filters) {
    if (topic::check_filter(filter) != topic::Fault::none) {
      ack.reasons.push_back(Reason::topic_filter_invalid);
    } else {
      ack.reasons.push_back(shard_.unsubscribe(*this, filter) ? Reason::success
                                                              : Reason::no_subscription_existed);
    }
  }
  suback(ack);
  return state_ == State::established;
}

}  // namespace gnomon::broker
