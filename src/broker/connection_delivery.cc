// Connection: what is sent to this client. The first function is the hottest of the broker.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "broker/connection.h"
#include "broker/outgoing.h"
#include "broker/shard.h"

namespace gnomon::broker {

namespace {
// Of a PUBLISH's first byte. The second turns QoS 1 into QoS 2 by exclusive or.
constexpr unsigned retain_flag = 0x01, qos2_instead_of_1 = 0x06;
constexpr Count sent_counts[] = {Count::sent_qos0, Count::sent_qos1, Count::sent_qos2};
}  // namespace

bool Connection::window_open() const {
  if (resending_ && resending_->bytes > limits::flight_bytes_max) return false;
  return !session_.window.full(
      std::min(machine_.peer_receive_maximum(), shard_.profile_.inflight_max));
}

bool Connection::may_take(std::string_view topic, Ruling& ruling) {
  if (!permissions_) return true;
  if (ruling.under != permissions_number_ || timed_) {
    ruling = {permissions_number_, permissions_->may_receive(topic)};
  }
  return ruling.allowed;
}

bool Connection::may_take(std::string_view topic) {
  if (!permissions_) return true;
  if (!received_) received_ = std::make_unique<Received>();
  if (received_->topic != topic) {
    received_->topic.assign(topic);
    received_->ruling = {};
  }
  return may_take(topic, received_->ruling);
}

bool Connection::counted(bool allowed) {
  if (!allowed) shard_.counters_.add(Count::dropped_policy);
  return allowed;
}

void Connection::deliver(Encoder& encoder, const Terms& terms,
                         std::span<const std::uint32_t> identifiers, Ruling& ruling) {
  // A session that is resumed has its subscriptions before its CONNACK.
  if (state_ != State::established) [[unlikely]]
    return;
  if (rated_ && shard_.profile_.rates.publishes_out > 0 &&
      (!rated_->publishes_out.take(shard_.loop_.now(), shard_.profile_.rates.publishes_out) ||
       !shard_.rates_.may_deliver(shard_.loop_.now()))) {
    return shard_.counters_.add(Count::dropped_rate);
  }
  const message::Message& message = encoder.message();
  if (!may_receive(message.topic, ruling)) return;
  const std::uint8_t qos = std::min(message.qos, terms.qos);
  const bool with_id = qos > 0;
  const bool retain = terms.retain_as_published && message.retain;
  if (message.retain && replays_) note_live(message.topic);
  if (with_id) {
    if (session_.queue || !window_open() || stream_->pending() > limits::output_bytes_max) {
      return enqueue(message, identifiers, qos, retain);
    }
  } else if (stream_->pending() > shard_.qos0_output_max_) {
    return shard_.counters_.add(Count::dropped_slow_subscriber);
  }
  if (plain_ && identifiers.empty() && !(with_id && resends())) [[likely]] {
    const Encoder::Layout& layout = encoder.layout(machine_.is_v5(), with_id);
    const std::uint32_t most = machine_.peer_packet_bytes_max();
    if (most != 0 && layout.packet.size() > most) {
      return shard_.counters_.add(Count::dropped_too_large);
    }
    shard_.counters_.add(sent_counts[qos]);
    // Layouts are encoded with QoS 1; QoS 2 is the other bit.
    const unsigned flags = (retain ? retain_flag : 0U) | (qos == 2 ? qos2_instead_of_1 : 0U);
    return send(layout, with_id ? session_.window.take(qos) : std::uint16_t{0},
                static_cast<std::uint8_t>(flags));
  }
  mqtt::Publish publish = to_publish(message, encoder.now());
  publish.qos = qos;
  publish.retain = retain;
  send_slowly(publish, identifiers);
}

void Connection::send(const Encoder::Layout& layout, std::uint16_t packet_id,
                      std::uint8_t first_byte_flags) {
  Buffer& out = stream_->output();
  const std::size_t size = layout.packet.size();
  std::uint8_t* at = out.room(size);
  std::memcpy(at, layout.packet.data(), size);
  at[0] ^= first_byte_flags;
  if (packet_id != 0) mqtt::patch_packet_id(at + layout.id_at, packet_id);
  out.grew(size);
  stream_->flush();
}

// With aliases or subscription identifiers every receiver's packet is its own.
void Connection::send_slowly(mqtt::Publish& publish, std::span<const std::uint32_t> identifiers) {
  publish.subscription_ids.assign(identifiers.begin(), identifiers.end());
  const std::uint32_t most = machine_.peer_packet_bytes_max();
  // The id is taken only for a packet that leaves. An alias can only make it smaller.
  if (most != 0 && mqtt::publish_size(machine_.version(), publish) > most) {
    return shard_.counters_.add(Count::dropped_too_large);
  }
  if (publish.qos > 0) publish.packet_id = session_.window.take(publish.qos);
  const std::size_t before = stream_->pending();
  machine_.publish(publish, stream_->output());
  if (trace_) trace_output(before);
  stream_->flush();
  shard_.counters_.add(sent_counts[publish.qos]);
  note_sent(publish);
}

void Connection::enqueue(const message::Message& message,
                         std::span<const std::uint32_t> identifiers, std::uint8_t qos, bool retain,
                         const ShareRef& share) {
  if (!session_.queue) session_.queue = std::make_unique<Session::Queue>();
  Session::Queue& queue = *session_.queue;
  const std::size_t size = message::encoded_size(message);
  if (queue.messages.size() >= limits::queue_messages_max ||
      queue.bytes + size > limits::queue_bytes_max) {
    // Nothing that was acknowledged is left out for somebody who stays. With a clean session that
    // ends here nothing is owed any more; a share group has others to give it to.
    if (!std::exchange(doomed_, true)) shard_.doom(ref_);
    if (share.sequence == 0) return shard_.counters_.add(Count::dropped_queue_full);
  }
  Queued& queued = queue.messages.emplace_back();
  message::encode(message, queued.message);
  queued.identifiers.assign(identifiers.begin(), identifiers.end());
  queued.qos = qos;
  queued.retain = retain;
  queued.share = share;
  queue.bytes += size;
  shard_.queued_bytes_ += size;
}

void Connection::pump_queue() {
  Session::Queue& queue = *session_.queue;
  const WallTime now = shard_.loop_.wall_now();
  while (!queue.messages.empty() && window_open() &&
         stream_->pending() <= limits::output_bytes_max) {
    const Queued queued = std::move(queue.messages.front());
    queue.messages.pop_front();
    ++queue.sent;
    queue.bytes -= queued.message.size();
    shard_.queued_bytes_ -= queued.message.size();
    auto decoded = message::decode(queued.message.view());
    const message::Message& message = decoded->message;
    if (message.expires.ms != 0 && now > message.expires) {
      shard_.counters_.add(Count::dropped_expired);
      if (queued.share.sequence != 0) shard_.acknowledge(Acks::Shared{queued.share, ref_});
      continue;
    }
    if (queued.share.sequence != 0) {
      if (!may_take(message.topic)) {
        decline(queued.share, queued.qos, queued.message.view());
        continue;
      }
    } else if (!may_receive(message.topic)) {
      continue;
    }
    mqtt::Publish publish = to_publish(message, now);
    publish.qos = queued.qos;
    publish.retain = queued.retain;
    send_slowly(publish, queued.identifiers);
    if (queued.share.sequence != 0) note_shared(publish.packet_id, queued.share);
  }
  if (queue.messages.empty()) session_.queue.reset();
}

void Connection::on_drained() {
  if (session_.queue) pump_queue();
  if (replays_) send_replay();
}

// ---- from the home of a persistent session

void Connection::deliver_kept(const Delivery& delivery) {
  if (state_ != State::established || delivery.generation != generation_) {
    return shard_.give_back(ref_, delivery);
  }
  switch (delivery.kind) {
    case Delivery::Kind::publish:
      return deliver_message(delivery);
    case Delivery::Kind::shared:
      return deliver_shared(delivery);
    case Delivery::Kind::settle:
      return settle(delivery.ticket, delivery.reason);
    case Delivery::Kind::pubrel:
    case Delivery::Kind::pubcomp: {
      const auto type = delivery.kind == Delivery::Kind::pubrel ? mqtt::PacketType::pubrel
                                                                : mqtt::PacketType::pubcomp;
      const std::size_t before = stream_->pending();
      machine_.ack({type, delivery.packet_id, delivery.reason, {}}, stream_->output());
      if (trace_) trace_output(before);
      return stream_->flush();
    }
  }
}

void Connection::deliver_message(const Delivery& delivery) {
  const message::Message& message = *delivery.message;
  const bool lent = delivery.packet_id > Outgoing::ids;  // by a share group
  if (!(lent ? may_take(message.topic) : may_receive(message.topic))) {
    return skip_kept(delivery, true);
  }
  if (message.retain && replays_) note_live(message.topic);
  if (delivery.qos == 0 && stream_->pending() > shard_.qos0_output_max_) {
    return shard_.counters_.add(Count::dropped_slow_subscriber);
  }
  mqtt::Publish publish = to_publish(message, shard_.loop_.wall_now());
  publish.qos = delivery.qos;
  publish.packet_id = delivery.packet_id;
  publish.retain = delivery.retain;
  publish.dup = delivery.dup;
  publish.subscription_ids.assign(delivery.identifiers.begin(), delivery.identifiers.end());
  const std::size_t before = stream_->pending();
  if (machine_.publish(publish, stream_->output())) {
    if (trace_) trace_output(before);
    shard_.counters_.add(sent_counts[delivery.qos]);
    note_sent(publish);
    return stream_->flush();
  }
  // Larger than the client takes: it counts as delivered (MQTT 5 §3.1.2.11.4).
  shard_.counters_.add(Count::dropped_too_large);
  skip_kept(delivery, false);
}

// As if the client had taken it; what a share group has lent and is declined goes back there.
void Connection::skip_kept(const Delivery& delivery, bool declined) {
  if (delivery.qos == 0) return;
  const bool qos1 = delivery.qos == 1;
  shard_.acknowledge({*session_.kept, delivery.packet_id,
                      qos1 ? mqtt::PacketType::puback : mqtt::PacketType::pubrec, !qos1, declined});
}

// ---- from a share group, for a clean session; for a persistent one only what has QoS 0

void Connection::deliver_shared(const Delivery& delivery) {
  if (delivery.qos == 0) return deliver_message(delivery);
  if (!may_take(delivery.message->topic)) {
    if (delivery.qos > 1) return shard_.give_back(ref_, delivery);
    return shard_.acknowledge(Acks::Shared{delivery.share, ref_, true});
  }
  // One that has left the group meanwhile gets it all the same: it would have before (§3.10.4).
  if (!session_.shares) session_.shares = std::make_unique<Session::Shares>();
  if (session_.queue || !window_open() || stream_->pending() > limits::output_bytes_max) {
    return enqueue(*delivery.message, delivery.identifiers, delivery.qos, delivery.retain,
                   delivery.share);
  }
  mqtt::Publish publish = to_publish(*delivery.message, shard_.loop_.wall_now());
  publish.qos = delivery.qos;
  publish.retain = delivery.retain;
  send_slowly(publish, delivery.identifiers);
  note_shared(publish.packet_id, delivery.share);
}

// Its policies have changed since the group asked them: somebody else may have it.
void Connection::decline(const ShareRef& share, std::uint8_t qos, ByteView message) {
  if (qos == 1) return shard_.acknowledge(Acks::Shared{share, ref_, true});
  ShareReturn back{share, ref_, {}};
  back.message.append(message);
  shard_.send(share.home, std::move(back));
}

// What is too large for the client counts as delivered (MQTT 5 §3.1.2.11.4).
void Connection::note_shared(std::uint16_t packet_id, const ShareRef& share) {
  if (packet_id == 0) return shard_.acknowledge(Acks::Shared{share, ref_});
  session_.shares->flight.insert_or_assign(packet_id, share);
}

void Connection::finish_shared(std::uint16_t packet_id) {
  const auto at = session_.shares->flight.find(packet_id);
  if (at == session_.shares->flight.end()) return;
  shard_.acknowledge(Acks::Shared{at->second, ref_});
  session_.shares->flight.erase(at);
}

}  // namespace gnomon::broker
