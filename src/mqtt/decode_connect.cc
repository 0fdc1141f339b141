// CONNECT and CONNACK.
#include <string_view>

#include "base/utf8.h"
#include "mqtt/decode.h"
#include "mqtt/properties.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {
namespace {

// MQTT 5 §3.1.2.3.
constexpr unsigned flag_reserved = 0x01, flag_clean = 0x02, flag_will = 0x04, flag_will_qos = 0x18,
                   flag_will_retain = 0x20, flag_password = 0x40, flag_username = 0x80;

bool connect_properties(const DecodeContext& context, wire::Cursor& cursor, Incoming& incoming) {
  Connect& connect = incoming.connect;
  ByteView block;
  if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
  PropertyScanner scanner(block, Place::connect, context.settings);
  PropertyGatherer users(incoming.scratch, 0);
  bool has_data = false;
  Property property;
  while (scanner.next(property, incoming.fault)) {
    switch (property.id) {
      case PropertyId::session_expiry_interval:
        connect.session_expiry_seconds = property.number;
        break;
      case PropertyId::receive_maximum:
        connect.receive_maximum = static_cast<std::uint16_t>(property.number);
        break;
      case PropertyId::maximum_packet_size:
        connect.maximum_packet_size = property.number;
        break;
      case PropertyId::topic_alias_maximum:
        connect.topic_alias_maximum = static_cast<std::uint16_t>(property.number);
        break;
      case PropertyId::request_response_information:
        connect.request_response_information = property.number == 1;
        break;
      case PropertyId::request_problem_information:
        connect.request_problem_information = property.number == 1;
        break;
      case PropertyId::authentication_method:
        connect.authentication_method = property.text;
        break;
      case PropertyId::authentication_data:
        connect.authentication_data = as_bytes(property.text);
        has_data = true;
        break;
      default:
        users.add(property.raw);
        break;
    }
  }
  if (scanner.failed()) return false;
  // MQTT 5 §3.1.2.11.10.
  if (has_data && !connect.authentication_method)
    return fail(incoming, Reason::protocol_error, "authentication data without a method");
  connect.user_properties = users.view();
  return true;
}

bool will_properties(const DecodeContext& context, wire::Cursor& cursor, Incoming& incoming) {
  Will& will = *incoming.connect.will;
  ByteView block;
  if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
  PropertyScanner scanner(block, Place::will, context.settings);
  PropertyGatherer travelling(incoming.scratch, 0);
  Property property;
  while (scanner.next(property, incoming.fault)) {
    if (property.id == PropertyId::will_delay_interval)
      will.delay_seconds = property.number;
    else if (property.id == PropertyId::message_expiry_interval)
      will.expiry_seconds = property.number;
    else
      travelling.add(property.raw);
  }
  will.properties = travelling.view();
  return !scanner.failed();
}

bool read_will(const DecodeContext& context, unsigned flags, wire::Cursor& cursor,
               Incoming& incoming) {
  Will& will = incoming.connect.will.emplace();
  will.qos = static_cast<std::uint8_t>((flags & flag_will_qos) >> 3);
  will.retain = (flags & flag_will_retain) != 0;
  if (context.version == Version::v5 && !will_properties(context, cursor, incoming)) return false;
  if (!cursor.text(will.topic) || !cursor.binary(will.payload))
    return malformed(incoming, "CONNECT cut short in its will");
  if (!is_mqtt_utf8(will.topic)) return malformed(incoming, "will topic is not valid UTF-8");
  return true;
}

bool read_credentials(const DecodeContext& context, unsigned flags, wire::Cursor& cursor,
                      Incoming& incoming) {
  Connect& connect = incoming.connect;
  // MQTT 3.1 §3.1: "the Remaining Length field takes precedence over the User Name flag": a name or
  // password that is announced and missing is taken as not announced.
  const auto missing = [&] { return context.version == Version::v31 && cursor.left() == 0; };
  if ((flags & flag_username) != 0 && !missing()) {
    if (!cursor.text(connect.username.emplace()))
      return malformed(incoming, "CONNECT cut short in its user name");
    if (!is_mqtt_utf8(*connect.username))
      return malformed(incoming, "user name is not valid UTF-8");
  }
  if ((flags & flag_password) != 0 && !missing()) {
    if (!cursor.binary(connect.password.emplace()))
      return malformed(incoming, "CONNECT cut short in its password");
  }
  return true;
}

bool check_flags(Version version, unsigned flags, Incoming& incoming) {
  // Bit 0 was "unused" in 3.1 and is reserved since.
  if ((flags & flag_reserved) != 0 && version != Version::v31)
    return malformed(incoming, "reserved CONNECT flag is set");
  if ((flags & flag_will) == 0 && (flags & (flag_will_qos | flag_will_retain)) != 0)
    return malformed(incoming, "will flags without a will");
  if ((flags & flag_will_qos) == flag_will_qos) return malformed(incoming, "will QoS is 3");
  // 3.1.1 §3.1.2.9 [MQTT-3.1.2-22]; MQTT 5 permits it.
  if (version != Version::v5 && (flags & flag_password) != 0 && (flags & flag_username) == 0)
    return malformed(incoming, "password without a user name");
  return true;
}

// The return codes of 3.1.1 §3.2.2.3 in terms of MQTT 5.
Reason from_return_code(std::uint8_t code) {
  switch (code) {
    case 0:
      return Reason::success;
    case 1:
      return Reason::unsupported_protocol_version;
    case 2:
      return Reason::client_identifier_not_valid;
    case 3:
      return Reason::server_unavailable;
    case 4:
      return Reason::bad_user_name_or_password;
    case 5:
      return Reason::not_authorized;
    default:
      return Reason::unspecified_error;  // reserved; AWS IoT has sent 7
  }
}

void set_connack_property(const Property& property, Connack& connack) {
  const auto number16 = static_cast<std::uint16_t>(property.number);
  const bool yes = property.number == 1;
  switch (property.id) {
    case PropertyId::session_expiry_interval:
      connack.session_expiry_seconds = property.number;
      break;
    case PropertyId::receive_maximum:
      connack.receive_maximum = number16;
      break;
    case PropertyId::maximum_qos:
      connack.maximum_qos = static_cast<std::uint8_t>(property.number);
      break;
    case PropertyId::retain_available:
      connack.retain_available = yes;
      break;
    case PropertyId::maximum_packet_size:
      connack.maximum_packet_size = property.number;
      break;
    case PropertyId::assigned_client_identifier:
      connack.assigned_client_id = property.text;
      break;
    case PropertyId::topic_alias_maximum:
      connack.topic_alias_maximum = number16;
      break;
    case PropertyId::reason_string:
      connack.reason_string = property.text;
      break;
    case PropertyId::wildcard_subscription_available:
      connack.wildcard_subscription_available = yes;
      break;
    case PropertyId::subscription_identifier_available:
      connack.subscription_identifier_available = yes;
      break;
    case PropertyId::shared_subscription_available:
      connack.shared_subscription_available = yes;
      break;
    case PropertyId::server_keep_alive:
      connack.server_keep_alive = number16;
      break;
    case PropertyId::response_information:
      connack.response_information = property.text;
      break;
    case PropertyId::server_reference:
      connack.server_reference = property.text;
      break;
    case PropertyId::authentication_method:
      connack.authentication_method = property.text;
      break;
    default:
      break;  // user properties are gathered, authentication data has no reader
  }
}

bool connack_properties(const DecodeContext& context, wire::Cursor& cursor, Incoming& incoming) {
  ByteView block;
  if (!take_properties(cursor, context.settings, block, incoming.fault)) return false;
  PropertyScanner scanner(block, Place::connack, context.settings);
  PropertyGatherer users(incoming.scratch, block.size());
  Property property;
  while (scanner.next(property, incoming.fault)) {
    set_connack_property(property, incoming.connack);
    if (property.id == PropertyId::user_property) users.add(property.raw);
  }
  incoming.connack.user_properties = users.view();
  return !scanner.failed();
}

}  // namespace

Greeting read_greeting(ByteView body, Version& version) {
  wire::Cursor cursor(body);
  std::string_view name;
  std::uint8_t level = 0;
  if (!cursor.text(name) || !cursor.u8(level)) return Greeting::foreign;
  const bool is_mqtt = name == "MQTT";
  if (!is_mqtt && name != "MQIsdp") return Greeting::foreign;
  if (is_mqtt ? level == 4 || level == 5 : level == 3) {
    version = static_cast<Version>(level);
    return Greeting::known;
  }
  // The top bit marks mosquitto's bridges (3 or 4 below it), which try again without it when they
  // are answered as 3.1.1 answers.
  return is_mqtt && level > 5 && level < 0x80 ? Greeting::too_new : Greeting::too_old;
}

bool decode_connect(const DecodeContext& context, ByteView body, Incoming& incoming) {
  Connect& connect = incoming.connect = Connect{};
  connect.version = context.version;
  wire::Cursor cursor(body);
  std::string_view name;
  std::uint8_t level = 0;
  std::uint8_t flags = 0;
  if (!cursor.text(name) || !cursor.u8(level) || !cursor.u8(flags) ||
      !cursor.u16(connect.keep_alive_seconds))
    return malformed(incoming, "CONNECT cut short");
  if (!check_flags(context.version, flags, incoming)) return false;
  connect.clean_start = (flags & flag_clean) != 0;

  if (context.version == Version::v5) {
    // Raw properties of both the packet and its will may have to be put together in scratch; with
    // room for all of the packet no view into it moves.
    incoming.scratch.clear();
    incoming.scratch.room(body.size());
    if (!connect_properties(context, cursor, incoming)) return false;
  }
  if (!cursor.text(connect.client_id)) return malformed(incoming, "CONNECT without a client id");
  if (!is_mqtt_utf8(connect.client_id)) return malformed(incoming, "client id is not valid UTF-8");
  if ((flags & flag_will) != 0 && !read_will(context, flags, cursor, incoming)) return false;
  if (!read_credentials(context, flags, cursor, incoming)) return false;
  if (cursor.left() != 0) return malformed(incoming, "bytes after the end of CONNECT");
  return true;
}

bool decode_connack(const DecodeContext& context, ByteView body, Incoming& incoming) {
  Connack& connack = incoming.connack = Connack{};
  wire::Cursor cursor(body);
  std::uint8_t flags = 0;
  std::uint8_t code = 0;
  if (!cursor.u8(flags) || !cursor.u8(code)) return malformed(incoming, "CONNACK cut short");
  // 3.1 had nothing in this byte.
  if (context.version != Version::v31) {
    if ((flags & 0xFE) != 0) return malformed(incoming, "reserved CONNACK flag is set");
    connack.session_present = flags == 1;
  }
  if (context.version == Version::v5) {
    if (!reason_allowed(PacketType::connack, code))
      return fail(incoming, Reason::protocol_error, "CONNACK with a reason it cannot have");
    connack.reason = static_cast<Reason>(code);
    incoming.scratch.clear();
    if (!connack_properties(context, cursor, incoming)) return false;
  } else {
    connack.reason = from_return_code(code);
  }
  if (connack.session_present && connack.reason != Reason::success)
    return fail(incoming, Reason::protocol_error, "CONNACK refuses a session that is present");
  if (cursor.left() != 0) return malformed(incoming, "bytes after the end of CONNACK");
  return true;
}

}  // namespace gnomon::mqtt
