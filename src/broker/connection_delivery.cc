// Connection: what is sent to this client. The first function is the hottest of the broker.
#include <cstring>

#include "base/limits.h"
#include "broker/connection.h"
#include "broker/shard.h"

namespace gnomon::broker {

namespace {
constexpr std::uint8_t retain_flag = 0x01;
}  // namespace

bool Connection::window_open() const {
  return !session_.window.full(std::min(machine_.peer_receive_maximum(), limits::inflight_max));
}

void Connection::deliver(Encoder& encoder, const Target::Terms& terms,
                         std::span<const std::uint32_t> identifiers) {
  const message::Message& message = encoder.message();
  const bool with_id = message.qos > 0 && terms.qos > 0;
  const bool retain = terms.retain_as_published && message.retain;
  if (with_id) {
    if (session_.queue || !window_open() || stream_->pending() > limits::output_bytes_max) {
      return enqueue(message, identifiers, retain);
    }
  } else if (stream_->pending() > limits::output_bytes_max) {
    return shard_.counters_.add(Count::dropped_slow_subscriber);
  }
  if (plain_ && identifiers.empty()) [[likely]] {
    const Encoder::Layout& layout = encoder.layout(machine_.is_v5(), with_id);
    const std::uint32_t most = machine_.peer_packet_bytes_max();
    if (most != 0 && layout.packet.size() > most) {
      return shard_.counters_.add(Count::dropped_too_large);
    }
    shard_.counters_.add(with_id ? Count::sent_qos1 : Count::sent_qos0);
    return send(layout, with_id ? session_.window.take(1) : std::uint16_t{0},
                retain ? retain_flag : std::uint8_t{0});
  }
  mqtt::Publish publish = to_publish(message, encoder.now());
  publish.qos = with_id ? 1 : 0;
  publish.retain = retain;
  send_slowly(publish, identifiers);
}

void Connection::send(const Encoder::Layout& layout, std::uint16_t packet_id,
                      std::uint8_t first_byte_flags) {
  Buffer& out = stream_->output();
  const std::size_t size = layout.packet.size();
  std::uint8_t* at = out.room(size);
  std::memcpy(at, layout.packet.data(), size);
  at[0] |= first_byte_flags;
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
  machine_.publish(publish, stream_->output());
  stream_->flush();
  shard_.counters_.add(publish.qos > 0 ? Count::sent_qos1 : Count::sent_qos0);
}

void Connection::enqueue(const message::Message& message,
                         std::span<const std::uint32_t> identifiers, bool retain) {
  if (!session_.queue) session_.queue = std::make_unique<Session::Queue>();
  Session::Queue& queue = *session_.queue;
  const std::size_t size = message::encoded_size(message);
  if (queue.messages.size() >= limits::queue_messages_max ||
      queue.bytes + size > limits::queue_bytes_max) {
    return shard_.counters_.add(Count::dropped_queue_full);
  }
  Queued& queued = queue.messages.emplace_back();
  message::encode(message, queued.message);
  queued.identifiers.assign(identifiers.begin(), identifiers.end());
  queued.retain = retain;
  queue.bytes += size;
}

void Connection::pump_queue() {
  Session::Queue& queue = *session_.queue;
  const WallTime now = shard_.loop_.wall_now();
  while (!queue.messages.empty() && window_open() &&
         stream_->pending() <= limits::output_bytes_max) {
    const Queued queued = std::move(queue.messages.front());
    queue.messages.pop_front();
    queue.bytes -= queued.message.size();
    auto decoded = message::decode(queued.message.view());
    const message::Message& message = decoded->message;
    if (message.expires.ms != 0 && now > message.expires) {
      shard_.counters_.add(Count::dropped_expired);
      continue;
    }
    mqtt::Publish publish = to_publish(message, now);
    publish.qos = 1;
    publish.retain = queued.retain;
    send_slowly(publish, queued.identifiers);
  }
  if (queue.messages.empty()) session_.queue.reset();
}

void Connection::on_drained() {
  if (session_.queue) pump_queue();
}

}  // namespace gnomon::broker
