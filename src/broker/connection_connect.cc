// Connection: its beginning, from CONNECT to CONNACK.
//   CONNECT → who is it? (Authenticator) → the client id's home (Claim, Grant) → the interest of
//   its session is known everywhere → CONNACK
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "broker/connection.h"
#include "broker/records.h"
#include "broker/shard.h"
#include "topic/topic.h"

namespace gnomon::broker {

using mqtt::Reason;

bool Connection::on_connect(const mqtt::Connect& connect) {
  const Profile& profile = shard_.profile_;
  if (connect.authentication_method) {
    return refuse_connect(Reason::bad_authentication_method,
                          "enhanced authentication is not supported",
                          Count::connect_refused_unsupported);
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
  if (!shard_.may_admit()) {
    return refuse_connect(Reason::quota_exceeded, "more clients than the server takes",
                          Count::connect_refused_limit);
  }
  if (!shard_.rates_.may_connect(shard_.loop_.now())) {
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
  ++shard_.admitted_;
  pending_->claim = std::make_unique<Claim>();
  Claim& claim = *pending_->claim;
  claim.client_id = client_id_;
  claim.connection = ref_;
  claim.clean_start = connect.clean_start;
  claim.expiry_seconds = pending_->expiry_seconds;
  claim.receive_maximum = std::min(connect.receive_maximum, shard_.profile_.inflight_max);
  persistent_ = !connect.clean_start || asked > 0;
  if (connect.will) {
    claim.will = encoded_will(*connect.will);
    will_ = std::make_unique<Will>(Will{std::string(connect.will->topic), connect.will->retain});
  }
  return authenticate(connect);
}

// ---- who it is

Credentials Connection::credentials() const {
  return {.peer = stream_->peer(),
          .security = stream_->security(),
          .client_id = client_id_,
          .persistent = persistent_,
          .last_will = will_ != nullptr,
          .proof = proof_.get(),
          .basis = basis_};
}

bool Connection::authenticate(const mqtt::Connect& connect) {
  Credentials given = credentials();
  given.username = connect.username;
  given.password = connect.password;
  auto said = shard_.authenticator_.authenticate(
      given, [&mailbox = shard_.mailbox(), ref = ref_](Verdict verdict) {
        std::vector<Envelope> letter;
        letter.push_back({ref.shard, Authenticated{ref, std::move(verdict)}});
        mailbox.push(letter);
      });
  return said ? authenticated(std::move(*said)) : true;
}

bool Connection::authenticated(Verdict verdict) {
  if (const auto* refusal = std::get_if<Refusal>(&verdict)) {
    if (refusal->policy) tell_failure(refusal->principal);
    // Of these two nobody knows who it is, or would be.
    const bool overload =
        refusal->reason == Reason::server_busy || refusal->reason == Reason::server_unavailable;
    return refuse_connect(refusal->reason, refusal->why.c_str(),
                          refusal->policy ? Count::connect_refused_policy
                          : overload      ? Count::connect_refused_overload
                                          : Count::connect_refused_identity);
  }
  auto& identity = std::get<Identity>(verdict);
  principal_ = std::move(identity.principal);
  use(identity);
  if (will_ && !may_publish_will()) {
    tell_failure(principal_);
    return refuse_connect(Reason::not_authorized, "its identity may not publish the will",
                          Count::connect_refused_policy);
  }
  const std::unique_ptr<Claim> claim = std::move(pending_->claim);
  claim->principal = principal_;
  shard_.send_home(client_id_, std::move(*claim));
  if (pending_->stale) renew();
  return state_ != State::ended;
}

// A CONNECT that its policies refuse, or its will (AWS IoT: "Connect attempt failure event"). It
// has no place at home, nor an order among what is told from there.
void Connection::tell_failure(std::string_view principal) {
  const std::string topic = shard_.wanted_event(EventKind::connect_failed, client_id_);
  if (topic.empty()) return;
  SessionIdentifier session;
  shard_.random_.fill(session);
  const std::string payload = event_of(
      FailedConnect{client_id_, shard_.loop_.wall_now(), session, principal, stream_->peer()});
  message::Message message;
  message.topic = topic;
  message.payload = as_bytes(payload);
  message.qos = 1;
  shard_.counters_.add(Count::presence_events);
  shard_.publish(message);
}

// ---- who it is now

bool Connection::note_renewal() {
  if (state_ == State::connecting || state_ == State::ended || renewal_due_) return false;
  if (pending_ && pending_->claim) {
    pending_->stale = true;
    return false;
  }
  return renewal_due_ = true;
}

void Connection::renew() {
  renewal_due_ = false;
  if (state_ == State::ended) return;
  const std::uint32_t number = ++renewals_;
  shard_.counters_.add(Count::rechecks);
  auto verdict = shard_.authenticator_.renew(
      credentials(), principal_, [&mailbox = shard_.mailbox(), ref = ref_, number](Verdict given) {
        std::vector<Envelope> letter;
        letter.push_back({ref.shard, Renewed{ref, number, std::move(given)}});
        mailbox.push(letter);
      });
  if (!verdict) {
    ++shard_.renewals_open_;
  } else {
    renewed(number, std::move(*verdict));
  }
}

void Connection::renewed(std::uint32_t number, Verdict verdict) {
  if (state_ == State::ended || number != renewals_) return;  // it was asked again since
  if (const auto* identity = std::get_if<Identity>(&verdict)) return use(*identity);
  const auto& refusal = std::get<Refusal>(verdict);
  const Reason reason = refusal.reason;
  const std::string& why = refusal.why;
  if (refusal.permissions) permissions_ = refusal.permissions;
  if (shard_.log_limiter_.allow(shard_.loop_.now())) {
    log_info("connection_revoked", {{"peer", stream_->peer().to_string()},
                                    {"client", client_id_},
                                    {"principal", principal_},
                                    {"what", why}});
  }
  if (state_ == State::established) {
    // It may come back as soon as it can be found out who it is (0x88 is for CONNACK alone).
    const bool trouble = reason == Reason::server_unavailable;
    const DisconnectReason told = trouble          ? DisconnectReason::server_error
                                  : refusal.policy ? DisconnectReason::forbidden_access
                                  : refusal.expired && proof_
                                      ? DisconnectReason::websocket_ttl_expiration
                                      : DisconnectReason::auth_error;
    disconnect(trouble ? Reason::server_busy : Reason::not_authorized, why.c_str(),
               trouble ? Count::disconnects_refused : Count::disconnects_policy, told);
  } else {  // the answer to its claim finds it ended, and gives the client id back
    machine_.refuse(Reason::not_authorized, why.c_str(), shard_.answers_);
    end(Count::connect_refused_policy, WillFate::drop);
  }
}

void Connection::use(const Identity& identity) {
  permissions_ = identity.permissions;
  if (++permissions_number_ == 0) permissions_number_ = 1;
  basis_ = identity.basis;
  until_ = identity.until;
  shard_.ask_again(until_);
  timed_ = permissions_ && permissions_->changes_with_time();
  route_ = nullptr;  // it was allowed by the former ones
  if (state_ == State::established) tell_groups();
}

// Share groups give nothing to a member that may not receive it.
void Connection::tell_groups() {
  if (session_.kept)
    shard_.send(session_.kept->home, SessionPermissions{*session_.kept, permissions_});
  if (!session_.shares) return;
  for (const std::string& filter : session_.shares->filters)
    shard_.send_group(filter, SharePermissions{filter, {{}, 0, ref_}, permissions_});
}

Reason Connection::check_will(const mqtt::Will& will) const {
  if (will.qos > shard_.profile_.maximum_qos) return Reason::qos_not_supported;
  if (will.retain && !shard_.profile_.retain_available) return Reason::retain_not_supported;
  if (topic::check_name(will.topic) != topic::Fault::none || !allows_topic(will.topic)) {
    return Reason::topic_name_invalid;
  }
  // Reserved topics are not for clients (hostile input: a will to `$CONTROL`). Those of requests
  // are messages like others, and no service hears of a will (AWS IoT: "Last Will and Testament").
  const bool reserved = will.topic.front() == '$';
  if (reserved && (will.retain || reserved_use(will.topic) != ReservedUse::request))
    return Reason::not_authorized;
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

// ---- what home has answered

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
  resubscribe(*grant.kept);
  if (grant.session_present) shard_.counters_.add(Count::sessions_resumed);
  shard_.await_interest(*this);
}

// A session may be somebody else's than before, or its policies others: each subscription is asked
// for again, and ends if it is not allowed.
void Connection::resubscribe(const KeptGrant& kept) {
  Change refused;
  const auto may = [&](const std::string& filter) {
    if (!permissions_ || permissions_->may_subscribe(filter)) return true;
    refused.entries.emplace_back().filter = filter;
    shard_.counters_.add(Count::subscribe_refused_policy);
    return false;
  };
  for (const auto& [filter, options] : kept.subscriptions)
    if (may(filter)) shard_.subscribe(*this, filter, options);
  for (const std::string& filter : kept.shares) static_cast<void>(may(filter));
  if (refused.entries.empty()) return;
  if (shard_.log_limiter_.allow(shard_.loop_.now())) {
    log_info("subscriptions_ended",
             {{"client", client_id_},
              {"principal", principal_},
              {"count", refused.entries.size()},
              {"first", refused.entries.front().filter},
              {"what", "its policies do not allow them to who has resumed the session"}});
  }
  refused.session = *session_.kept;
  refused.connection = ref_;
  refused.subscribe = false;
  refused.asked = false;
  shard_.send(session_.kept->home, std::move(refused));
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
  shard_.send_home(client_id_, Opened{client_id_, ref_, principal_, stream_->peer(),
                                      session_.kept ? *session_.kept : SessionRef(),
                                      session_.kept ? permissions_ : nullptr});
  arm_keep_alive();
  stream_->resume();
  process({});
}

void Connection::denied(Reason reason) {
  if (state_ == State::ended) {
    pending_.reset();
    return shard_.retire(ref_);
  }
  const bool quota = reason == Reason::quota_exceeded;
  refuse_connect(
      reason,
      quota ? "a quota is used up, or the disk is full" : "another connection took the client id",
      quota ? Count::connect_refused_quota : Count::connect_refused_busy);
}

bool Connection::refuse_connect(Reason reason, const char* what, Count count) {
  if (shard_.log_limiter_.allow(shard_.loop_.now())) {
    log_info("connect_refused", {{"peer", stream_->peer().to_string()},
                                 {"client", client_id_},
                                 {"reason", mqtt::describe(reason)},
                                 {"what", what}});
  }
  pending_.reset();
  machine_.refuse(reason, what, shard_.answers_);
  end(count, WillFate::drop);
  return false;
}

}  // namespace gnomon::broker
