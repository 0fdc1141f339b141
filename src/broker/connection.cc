// Connection: its life, from accepted socket to release of its client id. The packets of an
// established connection are in connection_packets.cc, deliveries in connection_delivery.cc.
#include "broker/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "broker/records.h"
#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

using mqtt::Reason;

Connection::Connection(Shard& shard, ConnectionRef ref)
    : shard_(shard), machine_(mqtt::Role::server, shard.profile_.mqtt), ref_(ref) {}

void Connection::open(runtime::StreamPtr stream) {
  stream_ = std::move(stream);
  last_received_ = shard_.loop_.now();
  shard_.loop_.timers().arm(*this, last_received_ + limits::connect_timeout);
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
    if (state_ == State::claiming || parked_) {
      machine_.keep(in);
      if (parked_ || machine_.kept() > limits::parked_bytes_max) stream_->pause();
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
    end(Count::disconnects_slow, WillFate::publish);
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
      const bool normal = incoming.disconnect.reason == Reason::success;
      if (const auto& expiry = incoming.disconnect.session_expiry_seconds) {
        last_expiry_ = std::min(*expiry, shard_.profile_.session_expiry_max_seconds);
      }
      end(Count::disconnects_client, normal ? WillFate::drop : WillFate::publish);
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
          WillFate::publish);
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

// ---- CONNECT

bool Connection::on_connect(const mqtt::Connect& connect) {
  const Profile& profile = shard_.profile_;
  if (connect.authentication_method) {
    return refuse_connect(Reason::bad_authentication_method,
                          "enhanced authentication is not supported",
                          Count::connect_refused_unsupported);
  }
  // Until certificates and passwords exist, being on this machine is the only identity there is.
  if (!profile.local || !stream_->peer().is_loopback()) {
    return refuse_connect(Reason::not_authorized, "no identity (the setting `local` is off)",
                          Count::connect_refused_identity);
  }
  const bool may_assign = connect.version == mqtt::Version::v5 ||
                          (connect.version == mqtt::Version::v311 && connect.clean_start);
  if (connect.client_id.empty() && !may_assign) {
    return refuse_connect(Reason::client_identifier_not_valid, "the client id is empty",
                          Count::connect_refused_protocol);
  }
  if (const char* wrong = check_client_id(connect.client_id)) {
    return refuse_connect(Reason::client_identifier_not_valid, wrong,
                          Count::connect_refused_protocol);
  }
  if (!shard_.connect_rate_allows()) {
    return refuse_connect(Reason::quota_exceeded, "more CONNECTs a second than the server takes",
                          Count::connect_refused_limit);
  }
  if (connect.will) {
    if (const Reason reason = check_will(*connect.will); reason != Reason::success) {
      return refuse_connect(reason, "the will cannot be accepted",
                            Count::connect_refused_unsupported);
    }
  }
  // 3.1.1 knows no expiry: a session that is not clean is kept as long as any.
  const bool v5 = connect.version == mqtt::Version::v5;
  const std::uint32_t asked = v5                    ? connect.session_expiry_seconds
                              : connect.clean_start ? 0
                                                    : profile.session_expiry_max_seconds;
  pending_ = std::make_unique<PendingConnect>();
  pending_->asked_expiry_seconds = asked;
  pending_->expiry_seconds = std::min(asked, profile.session_expiry_max_seconds);
  pending_->assigned_id = connect.client_id.empty();
  client_id_ = connect.client_id.empty()
                   ? std::string(profile.assigned_id_prefix) + shard_.random_.hex(24)
                   : std::string(connect.client_id);
  keep_alive_seconds_ = keep_alive_of(connect);
  pending_->changed_keep_alive = keep_alive_seconds_ != connect.keep_alive_seconds;
  state_ = State::claiming;
  Claim claim;
  claim.client_id = client_id_;
  claim.connection = ref_;
  claim.clean_start = connect.clean_start;
  claim.expiry_seconds = pending_->expiry_seconds;
  claim.receive_maximum = connect.receive_maximum;
  left_will_ = connect.will.has_value();
  if (left_will_) claim.will = encoded_will(*connect.will);
  shard_.send_home(client_id_, std::move(claim));
  return true;
}

Reason Connection::check_will(const mqtt::Will& will) const {
  if (will.qos > shard_.profile_.maximum_qos) return Reason::qos_not_supported;
  if (will.retain && !shard_.profile_.retain_available) return Reason::retain_not_supported;
  if (topic::check_name(will.topic) != topic::Fault::none || !allows_topic(will.topic)) {
    return Reason::topic_name_invalid;
  }
  // Reserved topics are not for clients (hostile input: a will to `$CONTROL`).
  if (will.topic.front() == '$') return Reason::not_authorized;
  return Reason::success;
}

std::string Connection::encoded_will(const mqtt::Will& will) const {
  message::Message message;
  message.topic = will.topic;
  message.payload = will.payload;
  message.properties = will.properties;
  message.qos = will.qos;
  message.retain = will.retain;
  message.origin.kind = message::OriginKind::will;
  Buffer encoded;
  message::encode(message, encoded);
  records::Will record;
  record.delay_seconds = will.delay_seconds;
  if (will.expiry_seconds) record.expiry_seconds = expiry_of(*will.expiry_seconds);
  record.message = as_text(encoded.view());
  return record.write();
}

void Connection::granted(Grant& grant) {
  generation_ = grant.generation;
  if (state_ == State::ended) {
    pending_.reset();
    shard_.release({client_id_, ref_, false, std::nullopt});
    shard_.retire(ref_);
    return;
  }
  pending_->session_present = grant.session_present;
  if (!grant.kept) return open_session();
  const auto slot = partition::slot_of(partition::KeyKind::client_id, client_id_);
  session_.kept = std::make_unique<SessionRef>(
      SessionRef{shard_.owner_of(slot), grant.kept->session, grant.generation});
  for (const auto& [filter, options] : grant.kept->subscriptions) {
    shard_.subscribe(*this, filter, options);
  }
  if (grant.session_present) shard_.counters_.add(Count::sessions_resumed);
  shard_.await_interest(*this);
}

void Connection::open_session() {
  const std::unique_ptr<PendingConnect> pending = std::move(pending_);
  if (state_ == State::ended) {
    shard_.release({client_id_, ref_, false, std::nullopt});
    shard_.retire(ref_);
    return;
  }
  const Profile& profile = shard_.profile_;
  mqtt::Connack connack;
  connack.session_present = pending->session_present;
  if (pending->asked_expiry_seconds > pending->expiry_seconds) {
    connack.session_expiry_seconds = pending->expiry_seconds;
  }
  connack.receive_maximum = profile.mqtt.receive_maximum;
  connack.maximum_qos = profile.maximum_qos;
  connack.retain_available = profile.retain_available;
  connack.maximum_packet_size = static_cast<std::uint32_t>(profile.mqtt.packet_bytes_max);
  connack.topic_alias_maximum = profile.mqtt.topic_alias_max;
  connack.shared_subscription_available = profile.shared_subscription_available;
  connack.subscription_identifier_available = profile.subscription_identifiers_available;
  if (pending->changed_keep_alive) connack.server_keep_alive = keep_alive_seconds_;
  if (pending->assigned_id) connack.assigned_client_id = client_id_;
  machine_.accept(connack, shard_.answers_);
  if (!machine_.established()) return end(Count::connect_refused_limit, WillFate::drop);
  plain_ = machine_.peer_topic_alias_max() == 0 && !trace_;
  state_ = State::established;
  if (profile.rates.limit_connections()) rated_ = std::make_unique<Rated>();
  --shard_.unauthenticated_;
  ++shard_.established_;
  shard_.counters_.add(Count::connects);
  flush_answers();
  if (session_.kept) shard_.send(session_.kept->home, Opened{*session_.kept});
  arm_keep_alive();
  stream_->resume();
  process({});
}

void Connection::denied(Reason reason) {
  pending_.reset();
  if (state_ == State::ended) return shard_.retire(ref_);
  const bool quota = reason == Reason::quota_exceeded;
  refuse_connect(
      reason,
      quota ? "a quota is used up, or the disk is full" : "another connection took the client id",
      quota ? Count::connect_refused_quota : Count::connect_refused_busy);
}

void Connection::evicted() {
  if (state_ == State::ended) return;
  disconnect(Reason::session_taken_over, "another connection took the client id",
             Count::disconnects_taken_over);
}

// ---- the end

bool Connection::refuse_connect(Reason reason, const char* what, Count count) {
  if (shard_.log_limiter_.allow(shard_.loop_.now())) {
    log_info("connect_refused", {{"peer", stream_->peer().to_string()},
                                 {"client", client_id_},
                                 {"reason", mqtt::describe(reason)},
                                 {"what", what}});
  }
  machine_.refuse(reason, what, shard_.answers_);
  end(count, WillFate::drop);
  return false;
}

bool Connection::disconnect(Reason reason, const char* what, Count count) {
  if (state_ == State::established && machine_.is_v5()) {
    mqtt::Disconnect packet;
    packet.reason = reason;
    packet.reason_string = what;
    machine_.disconnect(packet, shard_.answers_);
  }
  end(count, WillFate::publish);
  return false;
}

void Connection::end(Count count, WillFate fate) {
  if (state_ == State::ended) return;
  flush_answers();
  const bool was_established = state_ == State::established;
  state_ = State::ended;
  disarm();
  shard_.counters_.add(count);
  --(was_established ? shard_.established_ : shard_.unauthenticated_);
  shard_.unsubscribe_all(*this);
  leave_groups();
  replays_.reset();
  stream_.reset();
  // While the claim is open its answer must find this connection, to give the id back.
  if (pending_) return;
  if (generation_ != 0) {
    const bool publish_will = left_will_ && was_established && fate == WillFate::publish;
    shard_.release({client_id_, ref_, publish_will, last_expiry_});
  }
  session_ = Session();
  shard_.retire(ref_);
}

void Connection::on_ended(runtime::Ended) {
  end(state_ == State::established ? Count::disconnects_lost : Count::connect_refused_protocol,
      WillFate::publish);
}

void Connection::shut_down() {
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
    if (!parked_) stream_->resume();
    return;
  }
  // Input only notes the time; the timer looks at it once a period. A connection that is not read
  // cannot be blamed for its silence.
  const auto allowed = std::chrono::milliseconds(1500 * std::int64_t{keep_alive_seconds_});
  if (parked_) last_received_ = shard_.loop_.now();
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
  if (!throttled_) stream_->resume();
  process({});
}

}  // namespace gnomon::broker
