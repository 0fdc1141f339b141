// The acknowledgements, SUBSCRIBE and its kin, DISCONNECT and AUTH.
#include <string_view>

#include "base/utf8.h"
#include "mqtt/decode.h"
#include "mqtt/properties.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {
namespace {

bool take_packet_id(wire::Cursor& cursor, std::uint16_t& id, Incoming& incoming) {
  if (!cursor.u16(id)) return malformed(incoming, "packet cut short before its packet id");
  // MQTT 5 §2.2.1.
  if (id == 0) return fail(incoming, Reason::protocol_error, "packet id is 0");
  return true;
}

// Reads properties of which at most the reason string and the user properties are wanted.
bool read_properties(const DecodeContext& context, wire::Cursor& cursor, Place place,
                     std::string_view* reason_string, RawProperties* user_properties,
                     Incoming& incoming) {
  ByteView block;
  if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
  PropertyScanner scanner(block, place, context.settings);
  incoming.scratch.clear();
  PropertyGatherer users(incoming.scratch, block.size());
  Property property;
  while (scanner.next(property, incoming.fault)) {
    if (property.id == PropertyId::reason_string && reason_string != nullptr)
      *reason_string = property.text;
    else if (property.id == PropertyId::user_property && user_properties != nullptr)
      users.add(property.raw);
  }
  if (user_properties != nullptr) *user_properties = users.view();
  return !scanner.failed();
}

bool check_options(Version version, std::uint8_t options, const SubscribeEntry& entry,
                   Incoming& incoming) {
  // MQTT 5 §3.8.3.1; 3.1.1 §3.8.3 has six reserved bits.
  const unsigned reserved = version == Version::v5 ? 0xC0 : 0xFC;
  if ((options & reserved) != 0)
    return malformed(incoming, "reserved bits of the subscription options are set");
  if (entry.qos == 3)
    return fail(incoming,
                version == Version::v5 ? Reason::protocol_error : Reason::malformed_packet,
                "subscription with QoS 3");
  if (entry.retain_handling == 3)
    return fail(incoming, Reason::protocol_error, "retain handling is 3");
  if (entry.no_local && entry.filter.starts_with("$share/"))
    return fail(incoming, Reason::protocol_error, "no local on a shared subscription");
  return true;
}

bool too_many(const DecodeContext& context, std::size_t entries) {
  return entries >= static_cast<std::size_t>(context.settings.subscriptions_max);
}

}  // namespace

bool reason_allowed(PacketType type, std::uint8_t reason) {
  using namespace std::string_view_literals;
  std::string_view allowed;
  switch (type) {
    case PacketType::connack:
      allowed =
          "\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8A\x8C\x90\x95\x97\x99\x9A\x9B\x9C\x9D"
          "\x9F"sv;
      break;
    case PacketType::puback:
    case PacketType::pubrec:
      allowed = "\x00\x10\x80\x83\x87\x90\x91\x97\x99"sv;
      break;
    case PacketType::pubrel:
    case PacketType::pubcomp:
      allowed = "\x00\x92"sv;
      break;
    case PacketType::suback:
      allowed = "\x00\x01\x02\x80\x83\x87\x8F\x91\x97\x9E\xA1\xA2"sv;
      break;
    case PacketType::unsuback:
      allowed = "\x00\x11\x80\x83\x87\x8F\x91"sv;
      break;
    case PacketType::disconnect:  // both directions together
      allowed =
          "\x00\x04\x80\x81\x82\x83\x87\x89\x8B\x8D\x8E\x8F\x90\x93\x94\x95\x96\x97\x98\x99\x9A\x9B"
          "\x9C\x9D\x9E\x9F\xA0\xA1\xA2"sv;
      break;
    case PacketType::auth:
      allowed = "\x00\x18\x19"sv;
      break;
    default:
      break;
  }
  return allowed.find(static_cast<char>(reason)) != std::string_view::npos;
}

bool decode_ack(const DecodeContext& context, PacketType type, ByteView body, Incoming& incoming) {
  Ack& ack = incoming.ack;
  ack.type = type;
  ack.reason = Reason::success;
  ack.reason_string = {};
  wire::Cursor cursor(body);
  if (!take_packet_id(cursor, ack.packet_id, incoming)) return false;
  if (context.version == Version::v5 && cursor.left() > 0) {
    std::uint8_t reason = 0;
    if (!cursor.u8(reason)) return malformed(incoming, "acknowledgement cut short");
    if (!reason_allowed(type, reason))
      return fail(incoming, Reason::protocol_error, "acknowledgement with a reason it cannot have");
    ack.reason = static_cast<Reason>(reason);
    // MQTT 5 §3.4.2.2.1: without properties their length may be left out.
    if (cursor.left() > 0 &&
        !read_properties(context, cursor, Place::ack, &ack.reason_string, nullptr, incoming))
      return false;
  }
  if (cursor.left() != 0) return malformed(incoming, "bytes after the end of an acknowledgement");
  return true;
}

bool decode_subscribe(const DecodeContext& context, ByteView body, Incoming& incoming) {
  Subscribe& subscribe = incoming.subscribe;
  subscribe.identifier = 0;
  subscribe.entries.clear();
  subscribe.user_properties = {};
  wire::Cursor cursor(body);
  if (!take_packet_id(cursor, subscribe.packet_id, incoming)) return false;
  if (context.version == Version::v5) {
    ByteView block;
    if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
    PropertyScanner scanner(block, Place::subscribe, context.settings);
    incoming.scratch.clear();
    PropertyGatherer users(incoming.scratch, block.size());
    Property property;
    while (scanner.next(property, incoming.fault)) {
      if (property.id == PropertyId::subscription_identifier)
        subscribe.identifier = property.number;
      else
        users.add(property.raw);
    }
    if (scanner.failed()) return false;
    subscribe.user_properties = users.view();
  }
  if (cursor.left() == 0)
    return fail(incoming, Reason::protocol_error, "SUBSCRIBE without a topic filter");
  while (cursor.left() > 0) {
    if (too_many(context, subscribe.entries.size()))
      return fail(incoming, Reason::quota_exceeded, "too many topic filters in one SUBSCRIBE");
    SubscribeEntry& entry = subscribe.entries.emplace_back();
    std::uint8_t options = 0;
    if (!cursor.text(entry.filter) || !cursor.u8(options))
      return malformed(incoming, "SUBSCRIBE cut short");
    entry.qos = options & 3;
    entry.no_local = (options & 0x04) != 0;
    entry.retain_as_published = (options & 0x08) != 0;
    entry.retain_handling = (options >> 4) & 3;
    if (!is_mqtt_utf8(entry.filter)) return malformed(incoming, "topic filter is not valid UTF-8");
    if (!check_options(context.version, options, entry, incoming)) return false;
  }
  return true;
}

bool decode_unsubscribe(const DecodeContext& context, ByteView body, Incoming& incoming) {
  Unsubscribe& unsubscribe = incoming.unsubscribe;
  unsubscribe.filters.clear();
  unsubscribe.user_properties = {};
  wire::Cursor cursor(body);
  if (!take_packet_id(cursor, unsubscribe.packet_id, incoming)) return false;
  if (context.version == Version::v5 &&
      !read_properties(context, cursor, Place::unsubscribe, nullptr, &unsubscribe.user_properties,
                       incoming))
    return false;
  if (cursor.left() == 0)
    return fail(incoming, Reason::protocol_error, "UNSUBSCRIBE without a topic filter");
  while (cursor.left() > 0) {
    if (too_many(context, unsubscribe.filters.size()))
      return fail(incoming, Reason::quota_exceeded, "too many topic filters in one UNSUBSCRIBE");
    std::string_view& filter = unsubscribe.filters.emplace_back();
    if (!cursor.text(filter)) return malformed(incoming, "UNSUBSCRIBE cut short");
    if (!is_mqtt_utf8(filter)) return malformed(incoming, "topic filter is not valid UTF-8");
  }
  return true;
}

bool decode_subscribe_ack(const DecodeContext& context, PacketType type, ByteView body,
                          Incoming& incoming) {
  SubscribeAck& ack = incoming.subscribe_ack;
  ack.type = type;
  ack.reasons.clear();
  ack.reason_string = {};
  wire::Cursor cursor(body);
  if (!take_packet_id(cursor, ack.packet_id, incoming)) return false;
  if (context.version == Version::v5) {
    if (!read_properties(context, cursor, Place::suback, &ack.reason_string, nullptr, incoming))
      return false;
  } else if (type == PacketType::unsuback) {
    if (cursor.left() != 0) return malformed(incoming, "bytes after the end of UNSUBACK");
    return true;
  }
  if (cursor.left() == 0)
    return fail(incoming, Reason::protocol_error, "SUBACK or UNSUBACK without a reason");
  for (const std::uint8_t reason : cursor.rest()) {
    const bool allowed = context.version == Version::v5 ? reason_allowed(type, reason)
                                                        : reason <= 2 || reason == 0x80;
    if (!allowed)
      return fail(incoming, Reason::protocol_error,
                  "SUBACK or UNSUBACK with a reason it cannot have");
    ack.reasons.push_back(static_cast<Reason>(reason));
  }
  return true;
}

bool decode_disconnect(const DecodeContext& context, ByteView body, Incoming& incoming) {
  Disconnect& disconnect = incoming.disconnect = Disconnect{};
  wire::Cursor cursor(body);
  if (context.version != Version::v5) {
    if (cursor.left() != 0) return malformed(incoming, "DISCONNECT with a body");
    return true;
  }
  std::uint8_t reason = 0;
  if (!cursor.u8(reason)) return true;  // MQTT 5 §3.14.2.1: nothing means normal disconnection
  if (!reason_allowed(PacketType::disconnect, reason))
    return fail(incoming, Reason::protocol_error, "DISCONNECT with a reason it cannot have");
  disconnect.reason = static_cast<Reason>(reason);
  if (cursor.left() == 0) return true;

  ByteView block;
  if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
  PropertyScanner scanner(block, Place::disconnect, context.settings);
  incoming.scratch.clear();
  PropertyGatherer users(incoming.scratch, block.size());
  Property property;
  while (scanner.next(property, incoming.fault)) {
    switch (property.id) {
      case PropertyId::session_expiry_interval:
        if (context.role == Role::client)  // MQTT 5 §3.14.2.2.2
          return fail(incoming, Reason::protocol_error, "DISCONNECT of a server sets an expiry");
        disconnect.session_expiry_seconds = property.number;
        break;
      case PropertyId::reason_string:
        disconnect.reason_string = property.text;
        break;
      case PropertyId::server_reference:
        disconnect.server_reference = property.text;
        break;
      default:
        users.add(property.raw);
        break;
    }
  }
  if (scanner.failed()) return false;
  disconnect.user_properties = users.view();
  if (cursor.left() != 0) return malformed(incoming, "bytes after the end of DISCONNECT");
  return true;
}

bool decode_auth(const DecodeContext& context, ByteView body, Incoming& incoming) {
  Auth& auth = incoming.auth = Auth{};
  wire::Cursor cursor(body);
  std::uint8_t reason = 0;
  bool has_method = false;
  if (cursor.u8(reason)) {
    // MQTT 5 §3.15.2.1: only a client re-authenticates, only a server succeeds.
    const auto forbidden = context.role == Role::server ? Reason::success : Reason::reauthenticate;
    if (!reason_allowed(PacketType::auth, reason) || static_cast<Reason>(reason) == forbidden)
      return fail(incoming, Reason::protocol_error, "AUTH with a reason it cannot have");
    auth.reason = static_cast<Reason>(reason);
    ByteView block;
    if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
    PropertyScanner scanner(block, Place::auth, context.settings);
    Property property;
    while (scanner.next(property, incoming.fault)) {
      if (property.id == PropertyId::authentication_method) {
        auth.method = property.text;
        has_method = true;
      } else if (property.id == PropertyId::authentication_data) {
        auth.data = as_bytes(property.text);
      }
    }
    if (scanner.failed()) return false;
  }
  if (!has_method)  // MQTT 5 §3.15.2.2.2
    return fail(incoming, Reason::protocol_error, "AUTH without an authentication method");
  if (cursor.left() != 0) return malformed(incoming, "bytes after the end of AUTH");
  return true;
}

}  // namespace gnomon::mqtt
