// Internal to mqtt: bodies of packets into structs. Each function reads the body (what follows the
// fixed header, whole) and returns true, or false with incoming.fault set.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "mqtt/connection.h"
#include "mqtt/packet.h"

namespace gnomon::mqtt {

// What a packet is read with.
struct DecodeContext {
  const Settings& settings;
  Role role;  // the reader's
  Version version;
};

inline bool fail(Incoming& incoming, Reason reason, const char* what) {
  incoming.fault = {reason, what};
  return false;
}
inline bool malformed(Incoming& incoming, const char* what) {
  return fail(incoming, Reason::malformed_packet, what);
}

// How a CONNECT opens: whether its sender can be served, and if not, what it understands.
enum class Greeting : std::uint8_t {
  known,    // `version` says which
  too_old,  // answer with the CONNACK of 3.1.1, code 1
  too_new,  // answer with the CONNACK of 5, 0x84
  foreign,  // not MQTT, or cut short: no answer
};
Greeting read_greeting(ByteView body, Version& version);

// Into incoming.connect; read_greeting() said `known`.
bool decode_connect(const DecodeContext& context, ByteView body, Incoming& incoming);
bool decode_connack(const DecodeContext& context, ByteView body, Incoming& incoming);
// The properties of a PUBLISH into incoming.publish. `rest` begins at their length; what remains of
// it afterwards is the payload.
bool decode_publish_properties(const DecodeContext& context, ByteView& rest, Incoming& incoming);
bool decode_ack(const DecodeContext& context, PacketType type, ByteView body, Incoming& incoming);
bool decode_subscribe(const DecodeContext& context, ByteView body, Incoming& incoming);
bool decode_unsubscribe(const DecodeContext& context, ByteView body, Incoming& incoming);
bool decode_subscribe_ack(const DecodeContext& context, PacketType type, ByteView body,
                          Incoming& incoming);
bool decode_disconnect(const DecodeContext& context, ByteView body, Incoming& incoming);
bool decode_auth(const DecodeContext& context, ByteView body, Incoming& incoming);

// True if `reason` may stand in a packet of `type` (MQTT 5 §2.4, table 2-6).
[[nodiscard]] bool reason_allowed(PacketType type, std::uint8_t reason);

}  // namespace gnomon::mqtt
