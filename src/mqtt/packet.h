// The packets as structs. All strings and bytes are *views* into the received bytes, or into what
// the caller of an encoder keeps. Defaults are the protocol's.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "mqtt/types.h"

namespace gnomon::mqtt {

// Raw properties, each with its identifier, in order, without the length in front. Checked when
// decoded, so a reader may walk them without checks.
using RawProperties = ByteView;

// MQTT 5 §3.1.3.2, §3.1.3.3.
struct Will {
  std::string_view topic;  // UTF-8; its grammar is the broker's to check
  ByteView payload;
  std::uint8_t qos = 0;
  bool retain = false;
  std::uint32_t delay_seconds = 0;
  std::optional<std::uint32_t> expiry_seconds;
  RawProperties properties;  // those that travel with the message: payload format, content type,
                             // response topic, correlation data, user properties
};

struct Connect {
  Version version = Version::v5;
  std::string_view client_id;  // may be empty
  bool clean_start = true;
  std::uint16_t keep_alive_seconds = 0;  // 0: off
  std::optional<Will> will;
  std::optional<std::string_view> username;
  std::optional<ByteView> password;
  // properties (5 only)
  std::uint32_t session_expiry_seconds = 0;
  std::uint16_t receive_maximum = 65535;
  std::uint32_t maximum_packet_size = 0;  // 0: no limit
  std::uint16_t topic_alias_maximum = 0;
  bool request_response_information = false;
  bool request_problem_information = true;
  std::optional<std::string_view> authentication_method;
  ByteView authentication_data;
  RawProperties user_properties;
};

struct Connack {
  bool session_present = false;
  Reason reason = Reason::success;
  // properties (5 only); what equals the default is not sent
  std::optional<std::uint32_t> session_expiry_seconds;
  std::uint16_t receive_maximum = 65535;
  std::uint8_t maximum_qos = 2;
  bool retain_available = true;
  std::uint32_t maximum_packet_size = 0;
  std::string_view assigned_client_id;
  std::uint16_t topic_alias_maximum = 0;
  std::string_view reason_string;
  bool wildcard_subscription_available = true;
  bool subscription_identifier_available = true;
  bool shared_subscription_available = true;
  std::optional<std::uint16_t> server_keep_alive;
  std::string_view response_information;
  std::string_view server_reference;
  std::string_view authentication_method;
  RawProperties user_properties;
};

struct Publish {
  std::string_view topic;  // resolved if an alias was used; UTF-8, grammar unchecked
  ByteView payload;
  RawProperties properties;  // those that travel (see Will::properties); alias, expiry and
                             // subscription identifiers are taken out
  std::optional<std::uint32_t> expiry_seconds;
  std::uint16_t packet_id = 0;  // 0 with QoS 0
  std::uint16_t alias = 0;      // as received; 0: none
  std::uint8_t qos = 0;
  bool retain = false;
  bool dup = false;
  std::vector<std::uint32_t> subscription_ids;  // client role only
};

// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct Ack {
  PacketType type = PacketType::puback;
  std::uint16_t packet_id = 0;
  Reason reason = Reason::success;
  std::string_view reason_string;
};

struct SubscribeEntry {
  std::string_view filter;  // UTF-8; grammar unchecked
  std::uint8_t qos = 0;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;  // 0–2
};

struct Subscribe {
  std::uint16_t packet_id = 0;
  std::uint32_t identifier = 0;  // 0: none
  std::vector<SubscribeEntry> entries;
  RawProperties user_properties;
};

// SUBACK and UNSUBACK. For 3.1.1 a SUBACK reason of 0x80 and above becomes 0x80 (3.1.1 §3.9.3;
// 3.1 has no failure code: the connection machine closes instead), and UNSUBACK has none.
struct SubscribeAck {
  PacketType type = PacketType::suback;
  std::uint16_t packet_id = 0;
  std::vector<Reason> reasons;
  std::string_view reason_string;
};

struct Unsubscribe {
  std::uint16_t packet_id = 0;
  std::vector<std::string_view> filters;
  RawProperties user_properties;
};

struct Disconnect {
  Reason reason = Reason::success;
  std::optional<std::uint32_t> session_expiry_seconds;
  std::string_view reason_string;
  std::string_view server_reference;
  RawProperties user_properties;
};

struct Auth {
  Reason reason = Reason::success;
  std::string_view method;
  ByteView data;
};

// Walks raw properties. `while (reader.next(property)) …`
struct Property {
  PropertyId id{};
  std::uint32_t number = 0;     // byte, two-byte, four-byte and variable integers
  std::string_view text;        // strings, binary data, and the name of a user property
  std::string_view text_value;  // the value of a user property
  ByteView raw;                 // the property as it was on the wire
};
class PropertyReader {
 public:
  explicit PropertyReader(RawProperties properties) : rest_(properties) {}
  bool next(Property& property);

 private:
  ByteView rest_;
};

// Appends one property to raw properties being built.
void append_property(Buffer& out, PropertyId id, std::uint32_t number);
void append_property(Buffer& out, PropertyId id, std::string_view text);
void append_user_property(Buffer& out, std::string_view name, std::string_view value);

}  // namespace gnomon::mqtt
