#include "broker/delivery.h"

#include <cstring>

namespace gnomon::broker {

namespace {

// The fixed part of a delivery, as it lies in a block. Blocks never leave the process.
struct Head {
  std::uint64_t ticket, generation;
  ShareRef share;
  std::uint32_t index, serial;
  std::uint16_t packet_id, identifiers;
  std::uint8_t kind, qos, reason;
  bool retain, dup, has_message;
};

template <class T>
T take(ByteView& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes = bytes.subspan(sizeof value);
  return value;
}

message::Message take_encoded(ByteView& bytes) {
  auto decoded = message::decode(bytes);
  bytes = bytes.subspan(decoded->size);
  return decoded->message;
}

}  // namespace

void append_delivery(const ConnectionRef& to, const Delivery& delivery, Buffer& out) {
  Head head{};
  head.ticket = delivery.ticket;
  head.generation = delivery.generation;
  head.share = delivery.share;
  head.index = to.index;
  head.serial = to.serial;
  head.packet_id = delivery.packet_id;
  head.identifiers = static_cast<std::uint16_t>(delivery.identifiers.size());
  head.kind = static_cast<std::uint8_t>(delivery.kind);
  head.qos = delivery.qos;
  head.reason = static_cast<std::uint8_t>(delivery.reason);
  head.retain = delivery.retain;
  head.dup = delivery.dup;
  head.has_message = delivery.message != nullptr;
  out.append(&head, sizeof head);
  out.append(delivery.identifiers.data(), delivery.identifiers.size_bytes());
  if (delivery.message != nullptr) message::encode(*delivery.message, out);
}

bool DeliveryReader::next(ConnectionRef& to, Delivery& delivery) {
  if (rest_.empty()) return false;
  const Head head = take<Head>(rest_);
  to = {shard_, head.index, head.serial};
  identifiers_.resize(head.identifiers);
  if (head.identifiers > 0) {
    std::memcpy(identifiers_.data(), rest_.data(), head.identifiers * sizeof(std::uint32_t));
    rest_ = rest_.subspan(head.identifiers * sizeof(std::uint32_t));
  }
  if (head.has_message) message_ = take_encoded(rest_);
  delivery = {static_cast<Delivery::Kind>(head.kind),
              head.qos,
              head.retain,
              head.dup,
              static_cast<mqtt::Reason>(head.reason),
              head.packet_id,
              head.ticket,
              head.generation,
              identifiers_,
              head.has_message ? &message_ : nullptr,
              head.share};
  return true;
}

namespace {
constexpr std::uint8_t plain_tag = 0, forwarded_tag = 1;
}

void append_message(const message::Message& message, const Forwarded* forwarded, Buffer& out) {
  out.push(forwarded == nullptr ? plain_tag : forwarded_tag);
  if (forwarded != nullptr) {
    out.push(forwarded->slot.value);
    out.append(&forwarded->sequence, sizeof forwarded->sequence);
  }
  message::encode(message, out);
}

bool take_forwarded(ByteView& bytes, Forwarded& forwarded) {
  if (take<std::uint8_t>(bytes) != forwarded_tag) return false;
  forwarded.slot = partition::SlotId(take<std::uint8_t>(bytes));
  forwarded.sequence = take<std::uint64_t>(bytes);
  return true;
}

}  // namespace gnomon::broker
