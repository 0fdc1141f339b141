// Connection: its life, from accepted socket to release of its client id. The packets of an
// established connection are in connection_packets.cc, deliveries in connection_delivery.cc.
// Its beginning is in connection_connect.cc.
#include "broker/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "broker/shard.h"

namespace gnomon::broker {

using mqtt::Reason;

Connection::Connection(Shard& shard, ConnectionRef ref)
    : shard_(shard), machine_(mqtt::Role::server, shard.profile_.mqtt), ref_(ref) {}

void Connection::open(runtime::StreamPtr stream, std::shared_ptr<const Proof> proof) {
  stream_ = std::move(stream);
  proof_ = std::move(proof);
  last_received_ = shard_.loop_.now();
  shard_.loop_.timers().arm(*this, last_received_ + shard_.profile_.connect_timeout);
}

// ---- input

void Connection::on_bytes(ByteView bytes) {
  // A sign of life is a packet (MQTT 5 §3.1.2.10), or each further KiB of a long one: a client that
  // trickles is as silent as one that says nothing.
  const std::size_t kept = machine_.kept() / KiB;
  process(bytes);
  if (machine_.kept() / KiB > kept) last_received_ = shard_.loop_.now();
  if (rated_) throttle(bytes.size());
}

void Connection::process(ByteView in) {
  mqtt::Incoming& incoming = shard_.incoming_;
  for (;;) {
    if (heavy_ && state_ == State::established && shard_.is_full()) [[unlikely]]
      yield();
    if (state_ == State::claiming || parked_ || yielding_ || (held_ && held_->full) ||
        shard_.stopping_) {
      machine_.keep(in);
      if (state_ != State::claiming || machine_.kept() > limits::parked_bytes_max) {
        stream_->pause();
      }
      break;
    }
    incoming.known_topic = route_ != nullptr && route_epoch_ == shard_.routes_.epoch()
                               ? std::string_view(route_->topic)
                               : std::string_view();
    const mqtt::Event event = machine_.next(in, incoming, shard_.answers_);
    if (event == mqtt::Event::none) break;
    last_received_ = shard_.loop_.now();
    if (!handle(event)) return;
  }
  flush_answers();
  if (stream_ && stream_->pending() > limits::output_bytes_hard) {
    end(Count::disconnects_slow, WillFate::publish, DisconnectReason::throttled);
  }
}

void Connection::flush_answers() {
  Buffer& answers = shard_.answers_;
  if (answers.empty()) return;
  if (stream_) {
    if (trace_) trace_sent(answers.view());
    stream_->output().append(answers.view());
    stream_->flush();
  }
  answers.clear();
}

bool Connection::handle(mqtt::Event event) {
  mqtt::Incoming& incoming = shard_.incoming_;
  if (!shard_.traces_.empty()) [[unlikely]]
    trace_received(event);
  switch (event) {
    case mqtt::Event::publish:
      if (held_ || must_hold()) [[unlikely]] {
        hold(incoming.publish);
        return true;
      }
      return on_publish(incoming.publish);
    case mqtt::Event::ack:
      return on_ack(incoming.ack);
    case mqtt::Event::connect:
      return on_connect(incoming.connect);
    case mqtt::Event::subscribe:
      return on_subscribe(incoming.subscribe);
    case mqtt::Event::unsubscribe:
      return on_unsubscribe(incoming.unsubscribe);
    case mqtt::Event::disconnect: {
      if (held_ && !publish_held()) return false;
      const bool normal = incoming.disconnect.reason == Reason::success;
      if (const auto& expiry = incoming.disconnect.session_expiry_seconds) {
        last_expiry_ = std::min(*expiry, shard_.profile_.session_expiry_max_seconds);
      }
      end(Count::disconnects_client, normal ? WillFate::drop : WillFate::publish,
          DisconnectReason::client_initiated_disconnect);
      return false;
    }
    case mqtt::Event::auth:
      // §4.12: only after a CONNECT with an authentication method, and none is accepted.
      return disconnect(Reason::protocol_error, "AUTH without an authentication method",
                        Count::disconnects_protocol);
    case mqtt::Event::refused: {
      if (shard_.log_limiter_.allow(shard_.loop_.now())) {
        log_info("protocol_error", {{"peer", stream_->peer().to_string()},
                                    {"client", client_id_},
                                    {"reason", mqtt::describe(incoming.fault.reason)},
                                    {"what", incoming.fault.what}});
      }
      end(state_ == State::established ? Count::disconnects_protocol
                                       : Count::connect_refused_protocol,
          WillFate::publish, DisconnectReason::client_error);
      return false;
    }
    case mqtt::Event::none:
    case mqtt::Event::pingreq:
    case mqtt::Event::connack:
    case mqtt::Event::suback:
    case mqtt::Event::pingresp:
      return true;
  }
  return true;
}

// ---- the end

void Connection::evicted(const Evict& evict) {
  if (state_ == State::ended) return;
  if (evict.by_operation) {
    disconnect(Reason::administrative_action, "DeleteConnection", Count::disconnects_administrative,
               DisconnectReason::api_initiated_disconnect,
               evict.prevent_will ? WillFate::drop : WillFate::publish);
    return;
  }
  disconnect(Reason::session_taken_over, "another connection took the client id",
             Count::disconnects_taken_over);
}

namespace {

// As the life-cycle events have it. Of what is refused the reason says more: what one may not do,
// what was too much, and what a client must not send at all.
DisconnectReason told_as(Count count, Reason reason) {
  switch (count) {
    case Count::disconnects_keep_alive:
      return DisconnectReason::mqtt_keep_alive_timeout;
    case Count::disconnects_taken_over:
      return DisconnectReason::duplicate_client_id;
    case Count::disconnects_slow:
      return DisconnectReason::throttled;
    case Count::disconnects_shutdown:
      return DisconnectReason::server_initiated_disconnect;
    case Count::disconnects_administrative:
      return DisconnectReason::api_initiated_disconnect;
    case Count::disconnects_refused:
      return reason == Reason::not_authorized   ? DisconnectReason::auth_error
             : reason == Reason::quota_exceeded ? DisconnectReason::throttled
                                                : DisconnectReason::client_error;
    default:
      return DisconnectReason::client_error;
  }
}

}  // namespace

bool Connection::disconnect(Reason reason, const char* what, Count count) {
  return disconnect(reason, what, count, told_as(count, reason));
}

bool Connection::disconnect(Reason reason, const char* what, Count count, DisconnectReason why,
                            WillFate fate) {
  if (state_ == State::established && machine_.is_v5()) {
    mqtt::Disconnect packet;
    packet.reason = reason;
    packet.reason_string = what;
    machine_.disconnect(packet, shard_.answers_);
  }
  end(count, fate, why);
  return false;
}

void Connection::end(Count count, WillFate fate, DisconnectReason why) {
  if (state_ == State::ended) return;
  flush_answers();
  const bool was_established = state_ == State::established;
  if (state_ != State::connecting) --shard_.admitted_;
  state_ = State::ended;
  disarm();
  shard_.counters_.add(count);
  --(was_established ? shard_.established_ : shard_.unauthenticated_);
  shard_.unsubscribe_all(*this);
  leave_groups();
  replays_.reset();
  if (session_.queue) shard_.queued_bytes_ -= session_.queue->bytes;
  pressed_.reset();
  drop_held();
  drop_sent();
  stream_.reset();
  // While the claim is open its answer must find this connection, to give the id back.
  if (pending_ && !pending_->claim) return;
  if (generation_ != 0) {
    bool publish_will = will_ && was_established && fate == WillFate::publish;
    if (publish_will && !may_publish_will()) {  // any more
      shard_.counters_.add(Count::publish_refused_policy);
      publish_will = false;
    }
    shard_.release({client_id_, ref_, publish_will, last_expiry_, why, principal_});
  }
  session_ = Session();
  shard_.retire(ref_);
}

// A close frame of WebSocket is as good as a DISCONNECT (AWS IoT: "Lifecycle events").
void Connection::on_ended(runtime::Ended why) {
  if (state_ == State::established && why == runtime::Ended::goodbye) {
    return end(Count::disconnects_client, WillFate::drop,
               DisconnectReason::client_initiated_disconnect);
  }
  end(state_ == State::established ? Count::disconnects_lost : Count::connect_refused_protocol,
      WillFate::publish);
}

void Connection::shut_down() {
  if (stream_) stream_->go_away();
  disconnect(Reason::server_shutting_down, "the server stops", Count::disconnects_shutdown);
}

void Connection::end_slow() {
  disconnect(Reason::quota_exceeded, "too much output is waiting", Count::disconnects_slow);
}

// ---- time

void Connection::arm_keep_alive() {
  if (keep_alive_seconds_ == 0) return disarm();
  shard_.loop_.timers().arm(
      *this, last_received_ + std::chrono::milliseconds(1500 * std::int64_t{keep_alive_seconds_}));
}

void Connection::on_timer() {
  if (state_ != State::established) {
    end(Count::connect_timeouts, WillFate::drop);
    return;
  }
  if (throttled_) {
    throttled_ = false;
    last_received_ = shard_.loop_.now();
    arm_keep_alive();
    if (reads()) stream_->resume();
    return;
  }
  // Input only notes the time; the timer looks at it once a period. A connection that is not read
  // cannot be blamed for its silence.
  const auto allowed = std::chrono::milliseconds(1500 * std::int64_t{keep_alive_seconds_});
  if (!reads()) last_received_ = shard_.loop_.now();
  if (shard_.loop_.now() - last_received_ >= allowed) {
    disconnect(Reason::keep_alive_timeout, "nothing was received for 1.5 times the keep-alive",
               Count::disconnects_keep_alive);
    return;
  }
  arm_keep_alive();
}

// ---- waiting for other shards

void Connection::park() {
  if (parked_) return;
  parked_ = true;
  shard_.parked_.push_back(ref_);
  shard_.counters_.add(Count::publisher_pauses);
}

void Connection::unpark() {
  parked_ = false;
  if (state_ != State::established) return;
  if (reads()) stream_->resume();
  process({});
}

}  // namespace gnomon::broker
