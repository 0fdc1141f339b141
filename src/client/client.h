// An MQTT client for 3.1, 3.1.1 and 5, on one runtime::Loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "client/transport.h"
#include "mqtt/connection.h"
#include "mqtt/window.h"
#include "runtime/loop.h"

namespace gnomon::client {

// Why a connection ended without the user's asking.
struct Closed {
  enum class Kind : std::uint8_t {
    unreachable,   // no TCP connection, or none in time
    refused,       // CONNACK with a reason of 0x80 or above
    disconnected,  // the server said DISCONNECT
    lost,          // the stream ended, or the server did not answer a PINGREQ
    protocol,      // what the server sent was not MQTT
    untrusted,     // its certificate does not verify
    transport,     // TLS or WebSocket failed, or the server refused it
  };
  Kind kind = Kind::lost;
  mqtt::Reason reason = mqtt::Reason::unspecified_error;  // refused, disconnected, protocol
  std::string message;                                    // for a person, without a full stop
};

// What a client tells its user. All calls come on the loop's thread; views are valid during the
// call. The client may be told anything in here, also to disconnect, but not be destroyed.
class Handler {
 public:
  virtual void on_connected(const mqtt::Connack& connack) = 0;
  // A message; QoS 1 is acknowledged after this call, QoS 2 comes once.
  virtual void on_message(const mqtt::Publish& publish) = 0;
  // SUBACK or UNSUBACK for the packet id that subscribe() or unsubscribe() returned.
  virtual void on_subscribed(const mqtt::SubscribeAck& /*ack*/) {}
  // The server has taken the PUBLISH of that id (QoS 1: PUBACK, QoS 2: PUBCOMP), or, with a reason
  // of 0x80 or above, refused it.
  virtual void on_published(std::uint16_t /*packet_id*/, mqtt::Reason /*reason*/) {}
  // can_publish() was false for lack of room, and there may be room now.
  virtual void on_room() {}
  // The connection is over; nothing more comes until the next connect().
  virtual void on_closed(const Closed& why) = 0;

 protected:
  ~Handler() = default;
};

// Client: one MQTT connection and what is in flight on it. The server may keep the session
// (`clean_start` off); here nothing is kept, so what was in flight when a connection ended is not
// sent again. Of a session that the server has resumed, QoS 2 packet ids that an earlier process
// left open are released before they are used, so that no message is taken for a duplicate.
// Owner:  its user, on the loop's thread (or before the loop starts). A resource: not movable.
class Client final : private runtime::StreamHandler {
 public:
  // `settings`: what the server may do; outlives the client.
  Client(runtime::Loop& loop, Handler& handler, const mqtt::Settings& settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Connects; on_connected() or on_closed() follows, the latter also after `timeout` without a
  // CONNACK. `transport` is of the client's loop and outlives the connection; `connect` is copied
  // into the packet at once.
  void connect(Transport& transport, const mqtt::Connect& connect,
               Duration timeout = std::chrono::seconds(10));
  // In on_message(): acknowledges that message now, and not after the call; for who wants to
  // disconnect in it. With QoS 2 it says PUBREC, after which the server does not send it again.
  void acknowledge();
  // Says DISCONNECT and closes once all output is written. No further call comes.
  void disconnect(const mqtt::Disconnect& packet = {});

  [[nodiscard]] bool connected() const { return state_ == State::connected; }
  // The id that stands in the packet; on_subscribed() follows. Connected only.
  std::uint16_t subscribe(mqtt::Subscribe subscribe);
  std::uint16_t unsubscribe(mqtt::Unsubscribe unsubscribe);

  // True if publish() may be called: connected, and with QoS > 0 fewer in flight than the server
  // allows, and not too much output waiting.
  [[nodiscard]] bool can_publish(std::uint8_t qos);
  // Sends; returns the packet id (0 with QoS 0), for which on_published() follows. can_publish().
  // Errors: exhausted (larger than the server takes), unsupported (QoS above the server's maximum,
  // or retain where it has none).
  Result<std::uint16_t> publish(const mqtt::Publish& publish);
  // PUBLISHes not finally acknowledged, SUBSCRIBEs and UNSUBSCRIBEs not answered.
  [[nodiscard]] int in_flight() const { return window_.count(); }
  // Bytes that the socket has not taken yet.
  [[nodiscard]] std::size_t pending() const { return stream_ ? stream_->pending() : 0; }

 private:
  enum class State : std::uint8_t { closed, connecting, connected };
  // One timer: first for the CONNACK, then for keep-alive.
  class Alarm final : public runtime::Timer {
   public:
    explicit Alarm(Client& client) : client_(client) {}

   private:
    void on_timer() override { client_.on_alarm(); }
    Client& client_;
  };

  void on_connected() override;
  void on_bytes(ByteView bytes) override;
  void on_drained() override { tell_room(); }
  void on_ended(runtime::Ended why) override;

  void handle(mqtt::Event event);
  void handle_connack(const mqtt::Connack& connack);
  void handle_publish(const mqtt::Publish& publish);
  void handle_ack(const mqtt::Ack& ack);
  void handle_suback(const mqtt::SubscribeAck& ack);
  void on_alarm();
  void arm(Duration after) { loop_.timers().arm(alarm_, loop_.now() + after); }
  void answer(mqtt::PacketType type, std::uint16_t packet_id, mqtt::Reason reason);
  void finish(std::uint16_t packet_id, mqtt::Reason reason);
  void tell_room();
  void end(Closed::Kind kind, mqtt::Reason reason, std::string message);
  void drop();

  runtime::Loop& loop_;
  Handler& handler_;
  const mqtt::Settings& settings_;
  runtime::StreamPtr stream_;
  mqtt::Connection machine_;
  mqtt::Incoming incoming_;
  mqtt::SendWindow window_;
  mqtt::ReceivedIds received_;              // QoS 2
  std::vector<std::uint16_t> subscribing_;  // ids of the window that are no PUBLISHes
  std::vector<bool> stale_;  // by packet id: an earlier process may have left it open; empty: none
  Buffer hello_;             // the CONNECT, until the transport is there
  std::string server_;       // for messages
  std::optional<Error> refusal_;  // why the transport ends
  Alarm alarm_{*this};
  Duration ping_every_{};      // 0: never
  std::uint16_t told_id_ = 0;  // of the message in on_message(), until it is acknowledged; 0: none
  std::uint8_t told_qos_ = 0;
  std::uint32_t connection_ = 0;  // counted, to notice one's end inside a call
  State state_ = State::closed;
  std::uint8_t maximum_qos_ = 2;
  bool retain_available_ = true;
  bool ping_open_ = false;
  bool wants_room_ = false;
};

}  // namespace gnomon::client
