// Delivery: what a session's home sends to the session's connection; and how messages lie in the
// blocks of mail. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "broker/mail.h"
#include "message/message.h"
#include "mqtt/types.h"

namespace gnomon::broker {

// Delivery: a packet for the client of a persistent session, or the end of a ticket of it.
struct Delivery {
  enum class Kind : std::uint8_t {
    publish,  // `message`, as `qos`, with `packet_id`
    pubrel,   // for `packet_id`
    pubcomp,  // the same
    settle,   // `ticket` is met: what the client published is taken
    shared,  // `message`, as `qos`, by the share group `share`; for a connection of a clean session
  };
  Kind kind = Kind::publish;
  std::uint8_t qos = 0;
  bool retain = false, dup = false;
  mqtt::Reason reason = mqtt::Reason::success;
  std::uint16_t packet_id = 0;
  std::uint64_t ticket = 0;
  Generation generation = 0;  // of the connection it is for
  std::span<const std::uint32_t> identifiers{};
  const message::Message* message = nullptr;
  ShareRef share{};
};

// A delivery for connection `index` of the shard that the block is for.
void append_delivery(const ConnectionRef& to, const Delivery& delivery, Buffer& out);

// DeliveryReader: walks a block of deliveries. What it hands out points into the block and is valid
// until the next call.
class DeliveryReader {
 public:
  DeliveryReader(ByteView bytes, ShardId shard) : rest_(bytes), shard_(shard) {}
  bool next(ConnectionRef& to, Delivery& delivery);

 private:
  ByteView rest_;
  ShardId shard_;
  std::vector<std::uint32_t> identifiers_;
  message::Message message_;
};

// A message in a block of Data, with what it was forwarded by.
void append_message(const message::Message& message, const Forwarded* forwarded, Buffer& out);
// Takes what stands in front of the next message off `bytes`; message::decode() reads on. True if
// it was forwarded.
bool take_forwarded(ByteView& bytes, Forwarded& forwarded);

}  // namespace gnomon::broker
