#include "message/message.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace gnomon::message {

static_assert(std::endian::native == std::endian::little, "the encoding is copied as it lies");

namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t qos_mask = 0x03, retain_flag = 0x04;

// The fixed part, as it lies in the encoding.
#pragma pack(push, 1)
struct Head {
  std::uint32_t rest;  // bytes after this member
  std::uint8_t version, flags, origin_kind, hops;
  std::uint64_t id;
  std::int64_t received, expires;
  std::uint64_t generation;
  std::uint16_t topic, client_id, principal, address;
  std::uint32_t properties, payload;
};
#pragma pack(pop)
static_assert(sizeof(Head) == 56);

// A size as its length field says it.
template <class Length>
Length checked(std::size_t size) {
  if (size > std::numeric_limits<Length>::max()) {
    throw std::logic_error("message: a part is longer than its length field can say");
  }
  return static_cast<Length>(size);
}

Error bad(const char* what) { return {Code::invalid, std::string("encoded message: ") + what}; }

}  // namespace

bool Message::operator==(const Message& other) const {
  return topic == other.topic && std::ranges::equal(payload, other.payload) &&
         std::ranges::equal(properties, other.properties) && qos == other.qos &&
         retain == other.retain && received == other.received && expires == other.expires &&
         origin == other.origin && id == other.id && hops == other.hops;
}

std::size_t encoded_size(const Message& message) {
  return sizeof(Head) + message.topic.size() + message.origin.client_id.size() +
         message.origin.principal.size() + message.origin.address.size() +
         message.properties.size() + message.payload.size();
}

void encode(const Message& message, Buffer& out) {
  const Origin& origin = message.origin;
  const std::size_t size = encoded_size(message);
  Head head{};
  head.rest = checked<std::uint32_t>(size - sizeof head.rest);
  head.version = version;
  head.flags = static_cast<std::uint8_t>(message.qos | (message.retain ? retain_flag : 0U));
  head.origin_kind = static_cast<std::uint8_t>(origin.kind);
  head.hops = message.hops;
  head.id = message.id;
  head.received = message.received.ms;
  head.expires = message.expires.ms;
  head.generation = origin.generation;
  head.topic = checked<std::uint16_t>(message.topic.size());
  head.client_id = checked<std::uint16_t>(origin.client_id.size());
  head.principal = checked<std::uint16_t>(origin.principal.size());
  head.address = checked<std::uint16_t>(origin.address.size());
  head.properties = checked<std::uint32_t>(message.properties.size());
  head.payload = checked<std::uint32_t>(message.payload.size());

  std::uint8_t* at = out.room(size);
  const auto put = [&at](const void* bytes, std::size_t count) {
    if (count > 0) std::memcpy(at, bytes, count);
    at += count;
  };
  put(&head, sizeof head);
  put(message.topic.data(), message.topic.size());
  put(origin.client_id.data(), origin.client_id.size());
  put(origin.principal.data(), origin.principal.size());
  put(origin.address.data(), origin.address.size());
  put(message.properties.data(), message.properties.size());
  put(message.payload.data(), message.payload.size());
  out.grew(size);
}

Result<Decoded> decode(ByteView bytes) {
  Head head;
  if (bytes.size() < sizeof head) return bad("cut short");
  std::memcpy(&head, bytes.data(), sizeof head);
  const std::size_t size = std::size_t{head.rest} + sizeof head.rest;
  if (size > bytes.size()) return bad("cut short");
  if (head.version != version) return bad("unknown version");
  const std::size_t parts = std::size_t{head.topic} + head.client_id + head.principal +
                            head.address + head.properties + head.payload;
  if (sizeof head + parts != size) return bad("its lengths do not add up");
  if ((head.flags & qos_mask) == 3 || head.flags > (qos_mask | retain_flag)) {
    return bad("flags that do not exist");
  }
  if (head.origin_kind > static_cast<std::uint8_t>(OriginKind::function)) {
    return bad("unknown kind of origin");
  }
  ByteView rest = bytes.subspan(sizeof head);
  const auto take = [&rest](std::size_t count) {
    const ByteView part = rest.first(count);
    rest = rest.subspan(count);
    return part;
  };
  Decoded decoded;
  decoded.size = size;
  Message& message = decoded.message;
  message.topic = as_text(take(head.topic));
  message.origin.client_id = as_text(take(head.client_id));
  message.origin.principal = as_text(take(head.principal));
  message.origin.address = as_text(take(head.address));
  message.properties = take(head.properties);
  message.payload = take(head.payload);
  message.qos = head.flags & qos_mask;
  message.retain = (head.flags & retain_flag) != 0;
  message.received = {head.received};
  message.expires = {head.expires};
  message.origin.kind = static_cast<OriginKind>(head.origin_kind);
  message.origin.generation = head.generation;
  message.id = head.id;
  message.hops = head.hops;
  return decoded;
}

}  // namespace gnomon::message
