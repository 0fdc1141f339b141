// Connection: what is sent again while the connection lasts, because it is not acknowledged. MQTT 5
// forbids it (§4.4), AWS IoT does it: only where the profile says so.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "broker/connection.h"
#include "broker/shard.h"

namespace gnomon::broker {

bool Connection::resends() const { return shard_.profile_.resend_every.count() > 0; }

void Connection::note_sent(const mqtt::Publish& publish) {
  if (publish.qos != 1 || !resends()) return;
  if (!resending_) resending_ = std::make_unique<Resending>(*this);
  const Instant now = shard_.loop_.now();
  const WallTime wall = shard_.loop_.wall_now();
  Resending::Sent& sent = resending_->sent.emplace_back(
      Resending::Sent{OwnedPublish(publish), now, now + shard_.profile_.resend_every, {}});
  if (publish.expiry_seconds) {
    sent.expires = wall + std::chrono::seconds(std::int64_t{*publish.expiry_seconds});
  }
  resending_->bytes += sent.publish.size();
  shard_.queued_bytes_ += sent.publish.size();
  if (!resending_->armed()) shard_.loop_.timers().arm(*resending_, sent.due);
}

// It is acknowledged, or given up.
void Connection::forget_sent(std::uint16_t packet_id) {
  auto& sent = resending_->sent;
  const auto at = std::find_if(sent.begin(), sent.end(), [&](const Resending::Sent& each) {
    return each.publish.packet_id() == packet_id;
  });
  if (at == sent.end()) return;
  resending_->bytes -= at->publish.size();
  shard_.queued_bytes_ -= at->publish.size();
  sent.erase(at);
  if (sent.empty()) resending_.reset();
}

void Connection::drop_sent() {
  if (resending_) shard_.queued_bytes_ -= resending_->bytes;
  resending_.reset();
}

// Those that are due, in the order in which they were sent; each goes behind all others, so they
// stay sorted by when they are due.
void Connection::resend() {
  const Instant now = shard_.loop_.now();
  const WallTime wall = shard_.loop_.wall_now();
  while (resending_ && resending_->sent.front().due <= now) {
    auto& all = resending_->sent;
    Resending::Sent& oldest = all.front();
    mqtt::Publish packet = oldest.publish.packet();
    const bool expired = oldest.expires.ms != 0 && wall > oldest.expires;
    const bool over = now - oldest.first >= shard_.profile_.resend_for;
    if (expired || over || (permissions_ && !may_receive(packet.topic))) {
      if (expired || over) shard_.counters_.add(Count::dropped_expired);
      // As if the client had taken it.
      on_ack({mqtt::PacketType::puback, packet.packet_id, mqtt::Reason::success, {}});
      continue;
    }
    // One that takes nothing gets nothing twice.
    if (stream_->pending() <= limits::output_bytes_max) {
      if (oldest.expires.ms != 0) {
        packet.expiry_seconds = static_cast<std::uint32_t>((oldest.expires.ms - wall.ms) / 1000);
      }
      packet.dup = shard_.profile_.says_dup;
      const std::size_t before = stream_->pending();
      machine_.publish(packet, stream_->output());
      if (trace_) trace_output(before);
      stream_->flush();
      shard_.counters_.add(Count::resent);
    }
    oldest.due = now + shard_.profile_.resend_every;
    std::rotate(all.begin(), std::next(all.begin()), all.end());
  }
  if (resending_) shard_.loop_.timers().arm(*resending_, resending_->sent.front().due);
}

}  // namespace gnomon::broker
