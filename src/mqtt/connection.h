// The MQTT connection machine: bytes in, events out; encoders that know what was negotiated.
// No sockets, no clock, no threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/types.h"

namespace gnomon::mqtt {

// What a connection allows its peer: enforced, and therefore what accept() and connect() announce.
// Outlives every connection made with it.
struct Settings {
  std::size_t packet_bytes_max = 8 * MiB;       // larger: 0x95; announced in CONNACK or CONNECT
  std::size_t connect_bytes_max = 128 * KiB;    // the first packet, before anyone is known
  std::size_t properties_bytes_max = 64 * KiB;  // of one packet; more: 0x95
  int user_properties_max = 64;                 // of one packet; more: 0x97
  int subscriptions_max = 1024;                 // filters in one (UN)SUBSCRIBE; more: 0x97
  std::uint16_t receive_maximum = 1024;         // QoS > 0 PUBLISHes in flight to us; 5 only
  std::uint16_t topic_alias_max = 32;           // aliases the peer may set; 5 only
};

enum class Event : std::uint8_t {
  none,         // all bytes are taken; an unfinished packet is kept inside. Also after a final
                // event, when bytes are dropped, and before accept(), when they are kept
  connect,      // incoming.connect; nothing more is parsed until accept() or a refusal
  connack,      // incoming.connack (client)
  publish,      // incoming.publish
  ack,          // incoming.ack
  subscribe,    // incoming.subscribe
  suback,       // incoming.subscribe_ack: SUBACK or UNSUBACK (client)
  unsubscribe,  // incoming.unsubscribe
  pingreq,      // PINGRESP is already in `out`
  pingresp,     // (client)
  disconnect,   // incoming.disconnect: the peer goes; close without sending more
  auth,         // incoming.auth
  refused,      // incoming.fault: a malformed packet or protocol error. What the protocol lets one
            // say (CONNACK, DISCONNECT; nothing in 3.1.1 after CONNECT) is in `out`; flush, close
};

// What was wrong with the peer's bytes.
struct Fault {
  Reason reason = Reason::malformed_packet;
  const char* what = "";  // a static sentence for the log and the reason string
};

// Where next() puts what it found. One per thread is enough: reused, so that no packet allocates.
// Views in it are valid until the next call of next() on the same connection or with the same
// Incoming, and as long as the bytes given to next() are.
struct Incoming {
  Connect connect;
  Connack connack;
  Publish publish;
  Ack ack;
  Subscribe subscribe;
  SubscribeAck subscribe_ack;
  Unsubscribe unsubscribe;
  Disconnect disconnect;
  Auth auth;
  Fault fault;
  // In: a topic that was found valid before; a PUBLISH with the same bytes is not checked again.
  std::string_view known_topic;
  Buffer scratch;  // properties that had to be put together anew
};

// Connection: one end of one MQTT connection, either role.
// Checks framing, lengths, UTF-8, properties, flags, direction, order (CONNECT first and once,
// nothing before CONNACK from a server), packet ids, topic aliases and the receive maximum. Topic
// grammar, rights and what the server does not offer are the caller's.
// Memory: small while idle; a packet that arrives in pieces is kept as it comes, never allocated by
// its announced length; aliases and rare state are made on first use.
// Owner:  whoever owns the socket. Not thread-safe.
class Connection {
 public:
  Connection(Role role, const Settings& settings);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // Takes the next packet off the front of `in`; answers that need no decision go to `out`.
  // Call until it returns none, connect (server: wait for accept or refuse) or a final event
  // (disconnect, refused). What it does not take now must be handed in again, or given to keep().
  Event next(ByteView& in, Incoming& incoming, Buffer& out);
  // Keeps bytes that arrived while the owner cannot go on; the following next() begins with them.
  void keep(ByteView in);
  // Bytes held by keep() and of an unfinished packet.
  [[nodiscard]] std::size_t kept() const;

  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Version version() const { return version_; }
  [[nodiscard]] bool is_v5() const { return version_ == Version::v5; }
  // True between a good CONNACK and the end.
  [[nodiscard]] bool established() const { return state_ == State::established; }

  // ---- what the peer allows (from CONNECT or CONNACK)
  [[nodiscard]] std::uint16_t peer_receive_maximum() const { return peer_receive_maximum_; }
  // UINT32_MAX: no limit.
  [[nodiscard]] std::uint32_t peer_packet_bytes_max() const { return peer_packet_bytes_max_; }
  // How many aliases publish() uses: what the peer allows, at most settings.topic_alias_max.
  [[nodiscard]] std::uint16_t peer_topic_alias_max() const { return peer_topic_alias_max_; }
  [[nodiscard]] bool peer_wants_problems() const { return peer_wants_problems_; }

  // ---- server: answers. Encoded for the version; a reason string goes out only if the peer wants
  // problem information and the packet stays within its maximum size (MQTT 5 §3.4.2.2).
  //
  // After Event::connect. The receive maximum, packet size and topic aliases announced are those of
  // the settings, whatever `connack` says. Established from here on; should even the bare CONNACK
  // exceed the client's maximum packet size: over, as after refuse().
  void accept(const Connack& connack, Buffer& out);
  // After Event::connect, or a time-out before it (then nothing can be said). CONNACK ≥ 0x80, in
  // 3.1.1 the return code 1–5 that comes nearest. Final.
  void refuse(Reason reason, std::string_view reason_string, Buffer& out);
  // SUBACK or UNSUBACK. False: 3.1 has no failure code, or it exceeds the peer's maximum packet
  // size; then nothing is appended and the connection is over: close it.
  bool suback(const SubscribeAck& ack, Buffer& out);

  // ---- client: requests. connect() announces the limits of the settings.
  void connect(const Connect& connect, Buffer& out);
  void subscribe(const Subscribe& subscribe, Buffer& out);
  void unsubscribe(const Unsubscribe& unsubscribe, Buffer& out);
  void pingreq(Buffer& out);

  // ---- both
  // PUBACK, PUBREC, PUBREL, PUBCOMP. A PUBACK, a PUBCOMP or a PUBREC ≥ 0x80 gives the peer back
  // one of its receive maximum. False: a PUBACK or PUBREC ≥ 0x80 cannot be said in 3.1.1; then
  // nothing is appended and the connection is over: close it (3.1.1 §3.3.5: either a positive
  // acknowledgement or no connection).
  bool ack(const Ack& ack, Buffer& out);
  // PUBLISH with everything: aliases for the peer if it allows them, subscription identifiers,
  // remaining expiry. Returns false, appending nothing, if it would exceed the peer's maximum
  // packet size (MQTT 5 §3.1.2.11.4: then the message counts as delivered).
  bool publish(const Publish& publish, Buffer& out);
  // DISCONNECT in 5 (a server's 3.1.1 has none, a client's carries no reason). Final.
  void disconnect(const Disconnect& disconnect, Buffer& out);

  // PUBLISHes of the peer with QoS > 0 that have no final acknowledgement yet.
  [[nodiscard]] int receiving() const { return receiving_; }

 private:
  // start: nothing yet; connecting: CONNECT came (server) or went (client), no CONNACK yet.
  enum class State : std::uint8_t { start, connecting, established, closed };
  // What few connections need: topic aliases, and bytes kept while views into kept_ are in use.
  struct Extras;
  struct Frame;

  // ---- connection_in.cc
  Event next_slow(ByteView& in, Incoming& incoming, Buffer& out);
  Event next_kept(ByteView& in, Incoming& incoming, Buffer& out);
  void drop_used();
  // Reads a fixed header and checks what it alone can show. False: refused, see incoming.fault.
  bool read_frame(ByteView bytes, Frame& frame, Incoming& incoming) const;
  bool check_first_byte(std::uint8_t first, Incoming& incoming) const;
  Event take(std::uint8_t first, ByteView body, Incoming& incoming, Buffer& out);
  Event take_publish(std::uint8_t first, ByteView body, Incoming& incoming, Buffer& out);
  Event take_connect(ByteView body, Incoming& incoming, Buffer& out);
  Event take_connack(ByteView body, Incoming& incoming, Buffer& out);
  Event take_disconnect(ByteView body, Incoming& incoming, Buffer& out);
  bool resolve_alias(Publish& publish, Incoming& incoming);
  Event refused(Reason reason, const char* what, Incoming& incoming, Buffer& out);
  Event refused(Incoming& incoming, Buffer& out);
  Extras& extras();

  // ---- connection_out.cc
  // Runs `encode(extra)`, which appends one packet, with and if need be without what is optional;
  // false, nothing appended, if it is larger than the peer takes.
  template <class Encode>
  bool send(Buffer& out, Encode encode) const;
  std::uint16_t alias_for(std::string_view topic, bool& is_new);

  const Settings* settings_;
  Buffer kept_;
  std::unique_ptr<Extras> extras_;
  std::uint32_t consume_ = 0;  // bytes at the front of kept_ that the last event used
  std::uint32_t peer_packet_bytes_max_ = UINT32_MAX;
  std::uint16_t peer_receive_maximum_ = 65535;
  std::uint16_t peer_topic_alias_max_ = 0;
  std::uint16_t receiving_ = 0;
  std::uint16_t receiving_max_ = 65535;
  Role role_;
  Version version_ = Version::v5;
  State state_ = State::start;
  bool peer_wants_problems_ : 1 = true;
  bool authenticates_ : 1 = false;    // CONNECT named an authentication method
  bool session_expires_ : 1 = false;  // CONNECT had a session expiry above 0
};

}  // namespace gnomon::mqtt
