// The Message: one struct for everything that is published, and its one encoding for mail between
// owners, for the store and for the wire between nodes. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace gnomon::message {

enum class OriginKind : std::uint8_t { mqtt, http, will, rule, shadow, function };

// Who published. Views, like Message.
struct Origin {
  OriginKind kind = OriginKind::mqtt;
  std::string_view client_id;    // empty: none (http, rules)
  std::uint64_t generation = 0;  // of the client's connection; 0: none
  std::string_view principal;    // certificate id, user, "local"
  std::string_view address;      // "192.0.2.1:4711"; empty: inside
  bool operator==(const Origin&) const = default;
};

// What was published. All members are *views*: into a received packet, or into an encoded message
// that its holder keeps. What is per delivery (subscription identifiers, effective QoS, packet id,
// retain flag as sent) is not here.
struct Message {
  std::string_view topic;  // a valid topic name
  ByteView payload;
  ByteView properties;   // the MQTT 5 properties that travel with it, raw and in order
                         // (MQTT 5 §3.3.2.3: payload format, content type, response topic,
                         // correlation data, user properties); no length in front
  std::uint8_t qos = 0;  // as published, 0–2
  bool retain = false;   // as published
  WallTime received{};   // when the server took it
  WallTime expires{};    // absolute; 0: never
  Origin origin;
  std::uint64_t id = 0;   // unique per source and run; for tracing and duplicates
  std::uint8_t hops = 0;  // republished this often (rules); stops circles
  bool operator==(const Message&) const;
};

// Appends the encoding, version 1:
//   u32 length of what follows | u8 version | u8 flags (qos 0–1, retain 2) | u8 origin kind |
//   u8 hops | u64 id | i64 received ms | i64 expires ms | u64 generation |
//   u16 topic, client id, principal, address lengths | u32 properties, payload lengths |
//   the bytes in that order
// Integers are little-endian. Lengths are within the limits that the codec enforces; one that its
// field cannot say is a bug: std::logic_error.
void encode(const Message& message, Buffer& out);
// Number of bytes that encode() appends.
[[nodiscard]] std::size_t encoded_size(const Message& message);

// Reads one encoded message at the start of `bytes`. The result's views point into `bytes`.
// Errors: invalid (cut short, lengths that do not add up, a version that is not known, QoS 3).
struct Decoded {
  Message message;
  std::size_t size = 0;  // bytes it took, length field included
};
Result<Decoded> decode(ByteView bytes);

}  // namespace gnomon::message
