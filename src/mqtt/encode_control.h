// Internal to mqtt: packets other than PUBLISH, appended to a buffer. The caller checks what the
// peer takes; `extra` false leaves out what is optional (reason strings, user properties).
#pragma once

#include "base/bytes.h"
#include "mqtt/packet.h"
#include "mqtt/types.h"

namespace gnomon::mqtt {

void append_connect(const Connect& connect, Buffer& out);
void append_connack(Version version, const Connack& connack, bool extra, Buffer& out);
void append_ack(Version version, const Ack& ack, bool extra, Buffer& out);
void append_subscribe(Version version, const Subscribe& subscribe, Buffer& out);
void append_unsubscribe(Version version, const Unsubscribe& unsubscribe, Buffer& out);
// SUBACK or UNSUBACK.
void append_subscribe_ack(Version version, const SubscribeAck& ack, bool extra, Buffer& out);
void append_disconnect(Version version, const Disconnect& disconnect, bool extra, Buffer& out);

// The return code of a 3.1.1 CONNACK (1–5) that comes nearest to `reason`; 0 if the protocol wants
// the connection closed without an answer (3.1.1 §3.1.4: a CONNECT that is not valid).
[[nodiscard]] std::uint8_t return_code(Reason reason);

}  // namespace gnomon::mqtt
