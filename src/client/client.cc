#include "client/client.h"

#include <algorithm>
#include <utility>

namespace gnomon::client {
namespace {

// More waiting output than this only moves memory from the user's side to ours.
constexpr std::size_t output_max = 256 * KiB;

std::string sentence(std::string_view what, mqtt::Reason reason, std::string_view reason_string) {
  std::string text(what);
  text += ": ";
  text += mqtt::describe(reason);
  if (!reason_string.empty()) text.append(" (").append(reason_string).append(")");
  return text;
}

}  // namespace

Client::Client(runtime::Loop& loop, Handler& handler, const mqtt::Settings& settings)
    : loop_(loop), handler_(handler), settings_(settings), machine_(mqtt::Role::client, settings) {}

Client::~Client() = default;

// ---- connecting

void Client::connect(Transport& transport, const mqtt::Connect& connect, Duration timeout) {
  drop();
  ++connection_;
  state_ = State::connecting;
  server_ = transport.endpoint().describe();
  machine_ = mqtt::Connection(mqtt::Role::client, settings_);
  machine_.connect(connect, hello_);
  ping_every_ = std::chrono::seconds(connect.keep_alive_seconds) / 2;
  arm(timeout);
  stream_ = transport.connect(*this, [this](const Error& error) { refusal_ = error; });
}

void Client::on_connected() {
  stream_->output().append(hello_.view());
  stream_->flush();
  hello_.release();
}

void Client::handle_connack(const mqtt::Connack& connack) {
  if (connack.reason >= mqtt::Reason::unspecified_error)
    return end(
        Closed::Kind::refused, connack.reason,
        sentence("the server refused the connection", connack.reason, connack.reason_string));
  state_ = State::connected;
  maximum_qos_ = connack.maximum_qos;
  retain_available_ = connack.retain_available;
  if (connack.session_present) stale_.assign(std::size_t{UINT16_MAX} + 1, true);
  // MQTT 5 §3.2.2.3.14: the server's word counts.
  if (connack.server_keep_alive) ping_every_ = std::chrono::seconds(*connack.server_keep_alive) / 2;
  if (ping_every_.count() > 0)
    arm(ping_every_);
  else
    alarm_.disarm();
  handler_.on_connected(connack);
}

void Client::on_alarm() {
  if (state_ == State::connecting)
    return end(Closed::Kind::unreachable, mqtt::Reason::unspecified_error,
               "no answer from " + server_);
  // A server has half a keep-alive to answer, and so hears from us within a whole one.
  if (ping_open_)
    return end(Closed::Kind::lost, mqtt::Reason::keep_alive_timeout,
               "the server does not answer PINGREQ");
  ping_open_ = true;
  machine_.pingreq(stream_->output());
  stream_->flush();
  arm(ping_every_);
}

void Client::disconnect(const mqtt::Disconnect& packet) {
  if (state_ == State::connected) {
    machine_.disconnect(packet, stream_->output());
    stream_->flush();
  }
  drop();
}

// The user has been told, or asked for it.
void Client::drop() {
  state_ = State::closed;
  alarm_.disarm();
  stream_.reset();
  hello_.release();
  window_ = {};
  received_ = {};
  subscribing_.clear();
  stale_ = {};
  refusal_.reset();
  ping_open_ = wants_room_ = false;
}

void Client::end(Closed::Kind kind, mqtt::Reason reason, std::string message) {
  drop();
  handler_.on_closed({kind, reason, std::move(message)});
}

void Client::on_ended(runtime::Ended /*why*/) {
  if (state_ == State::connected)
    return end(Closed::Kind::lost, mqtt::Reason::unspecified_error,
               "the connection was lost" + (refusal_ ? ": " + refusal_->message : ""));
  if (refusal_)
    return end(refusal_->code == Code::denied ? Closed::Kind::untrusted : Closed::Kind::transport,
               mqtt::Reason::unspecified_error,
               "cannot connect to " + server_ + ": " + refusal_->message);
  const bool spoke = hello_.empty();
  if (spoke)
    return end(Closed::Kind::lost, mqtt::Reason::unspecified_error,
               server_ + " closed the connection instead of answering");
  end(Closed::Kind::unreachable, mqtt::Reason::unspecified_error,
      "cannot connect to " + server_ + ": connection refused, or host unreachable");
}

// ---- what the server says

void Client::on_bytes(ByteView bytes) {
  const std::uint32_t connection = connection_;
  for (;;) {
    // A handler may have ended this connection, or begun another.
    if (state_ == State::closed || connection != connection_) return;
    const mqtt::Event event = machine_.next(bytes, incoming_, stream_->output());
    if (event == mqtt::Event::none) break;
    handle(event);
  }
  if (stream_->pending() > 0) stream_->flush();
}

void Client::handle(mqtt::Event event) {
  using mqtt::Event;
  switch (event) {
    case Event::connack:
      return handle_connack(incoming_.connack);
    case Event::publish:
      return handle_publish(incoming_.publish);
    case Event::ack:
      return handle_ack(incoming_.ack);
    case Event::suback:
      return handle_suback(incoming_.subscribe_ack);
    case Event::pingresp:
      ping_open_ = false;
      return;
    case Event::disconnect: {
      const mqtt::Disconnect& said = incoming_.disconnect;
      return end(Closed::Kind::disconnected, said.reason,
                 sentence("the server ended the connection", said.reason, said.reason_string));
    }
    case Event::refused: {
      const mqtt::Fault& fault = incoming_.fault;
      if (stream_->pending() > 0) stream_->flush();
      return end(Closed::Kind::protocol, fault.reason,
                 sentence("the server broke the protocol", fault.reason, fault.what));
    }
    default:
      // The machine lets a server say nothing else, and AUTH only to who asked for it.
      return end(Closed::Kind::protocol, mqtt::Reason::protocol_error,
                 "the server sent an unexpected packet");
  }
}

void Client::handle_publish(const mqtt::Publish& publish) {
  const std::uint32_t connection = connection_;
  told_id_ = publish.packet_id;
  told_qos_ = publish.qos;
  if (told_qos_ < 2 || received_.insert(told_id_)) handler_.on_message(publish);
  if (state_ == State::connected && connection == connection_) acknowledge();
  told_id_ = 0;
}

void Client::acknowledge() {
  if (told_id_ == 0) return;
  answer(told_qos_ == 1 ? mqtt::PacketType::puback : mqtt::PacketType::pubrec,
         std::exchange(told_id_, std::uint16_t{0}), mqtt::Reason::success);
}

void Client::answer(mqtt::PacketType type, std::uint16_t packet_id, mqtt::Reason reason) {
  machine_.ack({type, packet_id, reason, {}}, stream_->output());
}

void Client::handle_ack(const mqtt::Ack& ack) {
  using mqtt::PacketType, mqtt::Reason;
  using Outcome = mqtt::SendWindow::Outcome;
  const std::uint16_t id = ack.packet_id;
  const bool failed = ack.reason >= Reason::unspecified_error;
  if (ack.type == PacketType::pubrel) {
    const bool known = received_.erase(id);
    return answer(PacketType::pubcomp, id,
                  known ? Reason::success : Reason::packet_identifier_not_found);
  }
  if (std::ranges::find(subscribing_, id) != subscribing_.end()) return;
  Outcome outcome = Outcome::unknown;
  if (ack.type == PacketType::puback) outcome = window_.puback(id);
  if (ack.type == PacketType::pubrec) outcome = window_.pubrec(id, failed);
  if (ack.type == PacketType::pubcomp) outcome = window_.pubcomp(id);
  if (outcome == Outcome::done) return finish(id, ack.reason);
  // MQTT 5 §4.3.3: a PUBREC for an id that we do not know is answered, too.
  if (ack.type == PacketType::pubrec && !failed)
    answer(PacketType::pubrel, id,
           outcome == Outcome::release ? Reason::success : Reason::packet_identifier_not_found);
}

void Client::handle_suback(const mqtt::SubscribeAck& ack) {
  const auto found = std::ranges::find(subscribing_, ack.packet_id);
  if (found == subscribing_.end()) return;
  subscribing_.erase(found);
  window_.puback(ack.packet_id);
  handler_.on_subscribed(ack);
  tell_room();
}

void Client::finish(std::uint16_t packet_id, mqtt::Reason reason) {
  handler_.on_published(packet_id, reason);
  tell_room();
}

void Client::tell_room() {
  if (!wants_room_ || state_ != State::connected) return;
  wants_room_ = false;
  handler_.on_room();
}

// ---- what the user says

// Ids of SUBSCRIBEs come out of the same window, as they must differ from those of PUBLISHes
// (MQTT 5 §2.2.1).
std::uint16_t Client::subscribe(mqtt::Subscribe subscribe) {
  subscribe.packet_id = window_.take(1);
  subscribing_.push_back(subscribe.packet_id);
  machine_.subscribe(subscribe, stream_->output());
  stream_->flush();
  return subscribe.packet_id;
}

std::uint16_t Client::unsubscribe(mqtt::Unsubscribe unsubscribe) {
  unsubscribe.packet_id = window_.take(1);
  subscribing_.push_back(unsubscribe.packet_id);
  machine_.unsubscribe(unsubscribe, stream_->output());
  stream_->flush();
  return unsubscribe.packet_id;
}

bool Client::can_publish(std::uint8_t qos) {
  if (state_ != State::connected) return false;
  const bool room = stream_->pending() < output_max &&
                    (qos == 0 || !window_.full(machine_.peer_receive_maximum()));
  if (!room) wants_room_ = true;
  return room;
}

Result<std::uint16_t> Client::publish(const mqtt::Publish& publish) {
  if (publish.qos > maximum_qos_)
    return Error{Code::unsupported,
                 "the server takes QoS " + std::to_string(maximum_qos_) + " at most"};
  if (publish.retain && !retain_available_)
    return Error{Code::unsupported, "the server does not retain messages"};
  mqtt::Publish packet = publish;
  packet.packet_id = publish.qos > 0 ? window_.take(publish.qos) : std::uint16_t{0};
  if (publish.qos == 2 && !stale_.empty() && stale_[packet.packet_id]) {
    // Its PUBCOMP comes before the PUBREC of the new message, and ends nothing in the window.
    stale_[packet.packet_id] = false;
    answer(mqtt::PacketType::pubrel, packet.packet_id, mqtt::Reason::success);
  }
  if (!machine_.publish(packet, stream_->output())) {
    // Nothing went out: the id is given back as if it had been acknowledged.
    if (publish.qos == 1) window_.puback(packet.packet_id);
    if (publish.qos == 2) window_.pubrec(packet.packet_id, true);
    return Error{Code::exhausted, "the message is larger than the server takes (" +
                                      std::to_string(machine_.peer_packet_bytes_max()) + " bytes)"};
  }
  stream_->flush();
  return packet.packet_id;
}

}  // namespace gnomon::client
