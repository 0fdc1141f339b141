#include "mqtt/encode_control.h"

#include <cassert>
#include <cstring>

#include "mqtt/wire.h"

namespace gnomon::mqtt {
namespace {

// PacketWriter: one packet, whose lengths are set once its contents are there: one byte is left for
// each, and the few packets that need more move up.
class PacketWriter {
 public:
  PacketWriter(PacketType type, unsigned flags, Buffer& out) : out_(out), start_(out.size()) {
    out_.push(static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags));
    out_.push(0);
  }
  void begin_properties() {
    properties_ = out_.size();
    out_.push(0);
  }
  void end_properties() { set_length(properties_); }
  void end() { set_length(start_ + 1); }

 private:
  // Writes the number of bytes behind `at` as a variable byte integer at `at`, where one byte is.
  void set_length(std::size_t at) {
    const std::size_t count = out_.size() - at - 1;
    const auto length = static_cast<std::uint32_t>(count);
    assert(length <= wire::remaining_length_max);
    const std::size_t more = wire::varint_size(length) - 1;
    if (more > 0) {
      out_.room(more);
      std::uint8_t* const contents = out_.data() + at + 1;
      std::memmove(contents + more, contents, count);
      out_.grew(more);
    }
    wire::store_varint(out_.data() + at, length);
  }

  Buffer& out_;
  std::size_t start_;
  std::size_t properties_ = 0;
};

void property_if(bool wanted, Buffer& out, PropertyId id, std::uint32_t number) {
  if (wanted) append_property(out, id, number);
}
void property_if(bool wanted, Buffer& out, PropertyId id, std::string_view text) {
  if (wanted) append_property(out, id, text);
}

void put_connect_properties(const Connect& connect, Buffer& out) {
  using enum PropertyId;
  const std::uint32_t expiry = connect.session_expiry_seconds;
  property_if(expiry != 0, out, session_expiry_interval, expiry);
  property_if(connect.receive_maximum != 65'535, out, receive_maximum, connect.receive_maximum);
  property_if(connect.maximum_packet_size != 0, out, maximum_packet_size,
              connect.maximum_packet_size);
  property_if(connect.topic_alias_maximum != 0, out, topic_alias_maximum,
              connect.topic_alias_maximum);
  property_if(connect.request_response_information, out, request_response_information, 1u);
  property_if(!connect.request_problem_information, out, request_problem_information, 0u);
  if (connect.authentication_method) {
    append_property(out, authentication_method, *connect.authentication_method);
    property_if(!connect.authentication_data.empty(), out, authentication_data,
                as_text(connect.authentication_data));
  }
  out.append(connect.user_properties);
}

void put_will(const Connect& connect, PacketWriter& writer, Buffer& out) {
  const Will& will = *connect.will;
  if (connect.version == Version::v5) {
    writer.begin_properties();
    property_if(will.delay_seconds != 0, out, PropertyId::will_delay_interval, will.delay_seconds);
    if (will.expiry_seconds)
      append_property(out, PropertyId::message_expiry_interval, *will.expiry_seconds);
    out.append(will.properties);
    writer.end_properties();
  }
  wire::put_text(out, will.topic);
  wire::put_text(out, as_text(will.payload));
}

void put_connack_properties(const Connack& connack, bool extra, Buffer& out) {
  using enum PropertyId;
  if (connack.session_expiry_seconds)
    append_property(out, session_expiry_interval, *connack.session_expiry_seconds);
  property_if(connack.receive_maximum != 65'535, out, receive_maximum, connack.receive_maximum);
  property_if(connack.maximum_qos < 2, out, maximum_qos, connack.maximum_qos);
  property_if(!connack.retain_available, out, retain_available, 0u);
  property_if(connack.maximum_packet_size != 0, out, maximum_packet_size,
              connack.maximum_packet_size);
  property_if(!connack.assigned_client_id.empty(), out, assigned_client_identifier,
              connack.assigned_client_id);
  property_if(connack.topic_alias_maximum != 0, out, topic_alias_maximum,
              connack.topic_alias_maximum);
  property_if(extra && !connack.reason_string.empty(), out, reason_string, connack.reason_string);
  property_if(!connack.wildcard_subscription_available, out, wildcard_subscription_available, 0u);
  property_if(!connack.subscription_identifier_available, out, subscription_identifier_available,
              0u);
  property_if(!connack.shared_subscription_available, out, shared_subscription_available, 0u);
  if (connack.server_keep_alive)
    append_property(out, server_keep_alive, *connack.server_keep_alive);
  property_if(!connack.response_information.empty(), out, response_information,
              connack.response_information);
  property_if(!connack.server_reference.empty(), out, server_reference, connack.server_reference);
  property_if(!connack.authentication_method.empty(), out, authentication_method,
              connack.authentication_method);
  if (extra) out.append(connack.user_properties);
}

}  // namespace

std::uint8_t return_code(Reason reason) {
  switch (reason) {
    case Reason::success:
    case Reason::malformed_packet:
    case Reason::protocol_error:
      return 0;
    case Reason::unsupported_protocol_version:
      return 1;
    case Reason::client_identifier_not_valid:
      return 2;
    case Reason::bad_user_name_or_password:
      return 4;
    case Reason::unspecified_error:
    case Reason::implementation_specific_error:
    case Reason::server_unavailable:
    case Reason::server_busy:
    case Reason::server_shutting_down:
    case Reason::quota_exceeded:
    case Reason::use_another_server:
    case Reason::server_moved:
    case Reason::connection_rate_exceeded:
      return 3;
    default:  // banned, no right to the will's topic, …: it may not connect like this
      return 5;
  }
}

void append_connect(const Connect& connect, Buffer& out) {
  PacketWriter writer(PacketType::connect, 0, out);
  wire::put_text(out, connect.version == Version::v31 ? "MQIsdp" : "MQTT");
  out.push(static_cast<std::uint8_t>(connect.version));
  unsigned flags = connect.clean_start ? 0x02 : 0;
  if (connect.will)
    flags |=
        0x04u | static_cast<unsigned>(connect.will->qos) << 3 | (connect.will->retain ? 0x20u : 0u);
  if (connect.password) flags |= 0x40;
  if (connect.username) flags |= 0x80;
  out.push(static_cast<std::uint8_t>(flags));
  out.push_u16(connect.keep_alive_seconds);
  if (connect.version == Version::v5) {
    writer.begin_properties();
    put_connect_properties(connect, out);
    writer.end_properties();
  }
  wire::put_text(out, connect.client_id);
  if (connect.will) put_will(connect, writer, out);
  if (connect.username) wire::put_text(out, *connect.username);
  if (connect.password) wire::put_text(out, as_text(*connect.password));
  writer.end();
}

void append_connack(Version version, const Connack& connack, bool extra, Buffer& out) {
  PacketWriter writer(PacketType::connack, 0, out);
  const bool present = connack.session_present && connack.reason == Reason::success;
  out.push(present && version != Version::v31 ? 1 : 0);  // reserved in 3.1
  if (version == Version::v5) {
    out.push(static_cast<std::uint8_t>(connack.reason));
    writer.begin_properties();
    put_connack_properties(connack, extra, out);
    writer.end_properties();
  } else {
    out.push(return_code(connack.reason));
  }
  writer.end();
}

void append_ack(Version version, const Ack& ack, bool extra, Buffer& out) {
  const unsigned flags = ack.type == PacketType::pubrel ? 2 : 0;
  extra = extra && !ack.reason_string.empty();
  if (version != Version::v5 || (ack.reason == Reason::success && !extra)) {
    std::uint8_t* const at = out.room(4);
    at[0] = static_cast<std::uint8_t>(static_cast<unsigned>(ack.type) << 4 | flags);
    at[1] = 2;
    wire::store_u16(at + 2, ack.packet_id);
    out.grew(4);
    return;
  }
  PacketWriter writer(ack.type, flags, out);
  out.push_u16(ack.packet_id);
  out.push(static_cast<std::uint8_t>(ack.reason));
  if (extra) {
    writer.begin_properties();
    append_property(out, PropertyId::reason_string, ack.reason_string);
    writer.end_properties();
  }
  writer.end();
}

void append_subscribe(Version version, const Subscribe& subscribe, Buffer& out) {
  PacketWriter writer(PacketType::subscribe, 2, out);
  out.push_u16(subscribe.packet_id);
  const bool is_v5 = version == Version::v5;
  if (is_v5) {
    writer.begin_properties();
    property_if(subscribe.identifier != 0, out, PropertyId::subscription_identifier,
                subscribe.identifier);
    out.append(subscribe.user_properties);
    writer.end_properties();
  }
  for (const SubscribeEntry& entry : subscribe.entries) {
    wire::put_text(out, entry.filter);
    unsigned options = entry.qos;
    if (is_v5)
      options |= (entry.no_local ? 0x04u : 0u) | (entry.retain_as_published ? 0x08u : 0u) |
                 static_cast<unsigned>(entry.retain_handling) << 4;
    out.push(static_cast<std::uint8_t>(options));
  }
  writer.end();
}

void append_unsubscribe(Version version, const Unsubscribe& unsubscribe, Buffer& out) {
  PacketWriter writer(PacketType::unsubscribe, 2, out);
  out.push_u16(unsubscribe.packet_id);
  if (version == Version::v5) {
    writer.begin_properties();
    out.append(unsubscribe.user_properties);
    writer.end_properties();
  }
  for (const std::string_view filter : unsubscribe.filters) wire::put_text(out, filter);
  writer.end();
}

void append_subscribe_ack(Version version, const SubscribeAck& ack, bool extra, Buffer& out) {
  PacketWriter writer(ack.type, 0, out);
  out.push_u16(ack.packet_id);
  const bool is_v5 = version == Version::v5;
  if (is_v5) {
    writer.begin_properties();
    property_if(extra && !ack.reason_string.empty(), out, PropertyId::reason_string,
                ack.reason_string);
    writer.end_properties();
  }
  if (is_v5 || ack.type == PacketType::suback) {
    for (const Reason reason : ack.reasons) {
      const auto code = static_cast<std::uint8_t>(reason);
      out.push(!is_v5 && code >= 0x80 ? std::uint8_t{0x80} : code);  // 3.1.1 §3.9.3
    }
  }
  writer.end();
}

void append_disconnect(Version version, const Disconnect& disconnect, bool extra, Buffer& out) {
  PacketWriter writer(PacketType::disconnect, 0, out);
  if (version == Version::v5) {
    const bool has_reason_string = extra && !disconnect.reason_string.empty();
    const bool has_users = extra && !disconnect.user_properties.empty();
    const bool has_properties = disconnect.session_expiry_seconds || has_reason_string ||
                                has_users || !disconnect.server_reference.empty();
    // MQTT 5 §3.14.2.1: what is not needed at the end may be left out.
    if (has_properties || disconnect.reason != Reason::success)
      out.push(static_cast<std::uint8_t>(disconnect.reason));
    if (has_properties) {
      writer.begin_properties();
      if (disconnect.session_expiry_seconds)
        append_property(out, PropertyId::session_expiry_interval,
                        *disconnect.session_expiry_seconds);
      property_if(has_reason_string, out, PropertyId::reason_string, disconnect.reason_string);
      property_if(!disconnect.server_reference.empty(), out, PropertyId::server_reference,
                  disconnect.server_reference);
      if (has_users) out.append(disconnect.user_properties);
      writer.end_properties();
    }
  }
  writer.end();
}

}  // namespace gnomon::mqtt
