#include "mqtt/properties.h"

#include <array>
#include <initializer_list>

#include "base/utf8.h"

namespace gnomon::mqtt {
namespace {

struct Rule {
  PropertyType type = PropertyType::none;
  std::uint16_t places = 0;
};

constexpr std::size_t rules_count = 0x2B;

// MQTT 5 §2.2.2.2, table 2-4.
constexpr std::array<Rule, rules_count> make_rules() {
  std::array<Rule, rules_count> rules{};
  const auto set = [&rules](PropertyId id, PropertyType type, std::initializer_list<Place> places) {
    Rule& rule = rules[static_cast<std::size_t>(id)];
    rule.type = type;
    for (const Place place : places)
      rule.places = static_cast<std::uint16_t>(rule.places | static_cast<std::uint16_t>(place));
  };
  using enum PropertyId;
  using enum Place;
  using Type = PropertyType;
  set(payload_format_indicator, Type::u8, {publish_to_server, publish_to_client, will});
  set(message_expiry_interval, Type::u32, {publish_to_server, publish_to_client, will});
  set(content_type, Type::text, {publish_to_server, publish_to_client, will});
  set(response_topic, Type::text, {publish_to_server, publish_to_client, will});
  set(correlation_data, Type::binary, {publish_to_server, publish_to_client, will});
  // A client's PUBLISH must not contain one (MQTT 5 §3.3.4 [MQTT-3.3.4-6]).
  set(subscription_identifier, Type::varint, {publish_to_client, subscribe});
  set(session_expiry_interval, Type::u32, {connect, connack, disconnect});
  set(assigned_client_identifier, Type::text, {connack});
  set(server_keep_alive, Type::u16, {connack});
  set(authentication_method, Type::text, {connect, connack, auth});
  set(authentication_data, Type::binary, {connect, connack, auth});
  set(request_problem_information, Type::u8, {connect});
  set(will_delay_interval, Type::u32, {will});
  set(request_response_information, Type::u8, {connect});
  set(response_information, Type::text, {connack});
  set(server_reference, Type::text, {connack, disconnect});
  set(reason_string, Type::text, {connack, ack, suback, disconnect, auth});
  set(receive_maximum, Type::u16, {connect, connack});
  set(topic_alias_maximum, Type::u16, {connect, connack});
  set(topic_alias, Type::u16, {publish_to_server, publish_to_client});
  set(maximum_qos, Type::u8, {connack});
  set(retain_available, Type::u8, {connack});
  set(user_property, Type::pair,
      {connect, will, connack, publish_to_server, publish_to_client, ack, subscribe, suback,
       unsubscribe, disconnect, auth});
  set(maximum_packet_size, Type::u32, {connect, connack});
  set(wildcard_subscription_available, Type::u8, {connack});
  set(subscription_identifier_available, Type::u8, {connack});
  set(shared_subscription_available, Type::u8, {connack});
  return rules;
}
constexpr std::array<Rule, rules_count> rules = make_rules();

// Takes one property off `cursor`. False if it is not whole or its identifier is unknown.
bool take(wire::Cursor& cursor, Property& property, PropertyType& type) {
  const std::uint8_t* const start = cursor.at();
  std::uint8_t id = 0;
  // Identifiers are variable byte integers, but all that exist take one byte.
  if (!cursor.u8(id)) return false;
  property.id = static_cast<PropertyId>(id);
  property.number = 0;
  property.text = property.text_value = {};
  type = type_of(property.id);
  bool whole = false;
  switch (type) {
    case PropertyType::none:
      return false;
    case PropertyType::u8: {
      std::uint8_t value = 0;
      whole = cursor.u8(value);
      property.number = value;
      break;
    }
    case PropertyType::u16: {
      std::uint16_t value = 0;
      whole = cursor.u16(value);
      property.number = value;
      break;
    }
    case PropertyType::u32:
      whole = cursor.u32(property.number);
      break;
    case PropertyType::varint:
      whole = cursor.varint(property.number);
      break;
    case PropertyType::text:
    case PropertyType::binary:
      whole = cursor.text(property.text);
      break;
    case PropertyType::pair:
      whole = cursor.text(property.text) && cursor.text(property.text_value);
      break;
  }
  property.raw = {start, static_cast<std::size_t>(cursor.at() - start)};
  return whole;
}

// What is wrong with the value of a property; nullptr: nothing.
const char* wrong_value(const Property& property) {
  using enum PropertyId;
  switch (property.id) {
    case payload_format_indicator:
    case request_problem_information:
    case request_response_information:
    case maximum_qos:
    case retain_available:
    case wildcard_subscription_available:
    case subscription_identifier_available:
    case shared_subscription_available:
      return property.number > 1 ? "a property that is 0 or 1 has another value" : nullptr;
    case receive_maximum:
      return property.number == 0 ? "receive maximum is 0" : nullptr;
    case maximum_packet_size:
      return property.number == 0 ? "maximum packet size is 0" : nullptr;
    case subscription_identifier:
      return property.number == 0 ? "subscription identifier is 0" : nullptr;
    case response_topic:  // MQTT 5 §3.3.2.3.5
      return property.text.empty() || property.text.find_first_of("+#") != std::string_view::npos
                 ? "response topic is empty or has a wildcard"
                 : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

PropertyType type_of(PropertyId id) {
  const auto at = static_cast<std::size_t>(id);
  return at < rules.size() ? rules[at].type : PropertyType::none;
}

bool PropertyScanner::next(Property& property, Fault& fault) {
  if (cursor_.left() == 0) return false;
  const std::uint8_t id = *cursor_.at();
  if (type_of(static_cast<PropertyId>(id)) == PropertyType::none)
    return fail(fault, Reason::malformed_packet, "unknown property");
  if ((rules[id].places & static_cast<std::uint16_t>(place_)) == 0)
    return fail(fault, Reason::protocol_error, "property not allowed in this packet");

  PropertyType type{};
  if (!take(cursor_, property, type))
    return fail(fault, Reason::malformed_packet, "property cut short");
  const bool is_text = type == PropertyType::text || type == PropertyType::pair;
  if (is_text && !(is_mqtt_utf8(property.text) && is_mqtt_utf8(property.text_value)))
    return fail(fault, Reason::malformed_packet, "property is not valid UTF-8");

  // Only user properties, and the subscription identifiers of a delivery, may repeat.
  if (property.id == PropertyId::user_property) {
    if (--users_left_ < 0) return fail(fault, Reason::quota_exceeded, "too many user properties");
    return true;
  }
  const std::uint64_t bit = std::uint64_t{1} << id;
  if ((seen_ & bit) != 0 &&
      !(property.id == PropertyId::subscription_identifier && place_ == Place::publish_to_client))
    return fail(fault, Reason::protocol_error, "property given twice");
  seen_ |= bit;
  if (property.id == PropertyId::topic_alias && property.number == 0)
    return fail(fault, Reason::topic_alias_invalid, "topic alias is 0");
  if (const char* what = wrong_value(property)) return fail(fault, Reason::protocol_error, what);
  return true;
}

bool take_properties(wire::Cursor& cursor, const Settings& settings, ByteView& block,
                     Fault& fault) {
  std::uint32_t size = 0;
  if (!cursor.varint(size) || size > cursor.left()) {
    fault = {Reason::malformed_packet, "properties cut short"};
    return false;
  }
  if (size > settings.properties_bytes_max) {
    fault = {Reason::packet_too_large, "properties too large"};
    return false;
  }
  return cursor.bytes(size, block);
}

void PropertyGatherer::add(ByteView raw) {
  if (view_.empty()) {
    view_ = raw;
    return;
  }
  if (!copied_) {
    if (view_.data() + view_.size() == raw.data()) {
      view_ = {view_.data(), view_.size() + raw.size()};
      return;
    }
    scratch_.room(room_);
    const std::size_t start = scratch_.size();
    scratch_.append(view_);
    view_ = {scratch_.data() + start, view_.size()};
    copied_ = true;
  }
  scratch_.append(raw);
  view_ = {view_.data(), view_.size() + raw.size()};
}

bool PropertyReader::next(Property& property) {
  if (rest_.empty()) return false;
  wire::Cursor cursor(rest_);
  PropertyType type{};
  const bool whole = take(cursor, property, type);
  rest_ = whole ? cursor.rest() : ByteView{};
  return whole;
}

void append_property(Buffer& out, PropertyId id, std::uint32_t number) {
  out.push(static_cast<std::uint8_t>(id));
  switch (type_of(id)) {
    case PropertyType::u8:
      out.push(static_cast<std::uint8_t>(number));
      break;
    case PropertyType::u16:
      out.push_u16(static_cast<std::uint16_t>(number));
      break;
    case PropertyType::u32:
      out.push_u32(number);
      break;
    default:
      wire::put_varint(out, number);
      break;
  }
}

void append_property(Buffer& out, PropertyId id, std::string_view text) {
  out.push(static_cast<std::uint8_t>(id));
  wire::put_text(out, text);
}

void append_user_property(Buffer& out, std::string_view name, std::string_view value) {
  out.push(static_cast<std::uint8_t>(PropertyId::user_property));
  wire::put_text(out, name);
  wire::put_text(out, value);
}

}  // namespace gnomon::mqtt
