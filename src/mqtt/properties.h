// Internal to mqtt: what MQTT 5 §2.2.2.2 says of each property, and the checked walk over them.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "mqtt/connection.h"
#include "mqtt/packet.h"
#include "mqtt/types.h"
#include "mqtt/wire.h"

namespace gnomon::mqtt {

// Where properties can stand: the packets, and the will inside CONNECT. The value is a bit.
enum class Place : std::uint16_t {
  connect = 1 << 0,
  will = 1 << 1,
  connack = 1 << 2,
  publish_to_server = 1 << 3,
  publish_to_client = 1 << 4,
  ack = 1 << 5,  // PUBACK, PUBREC, PUBREL, PUBCOMP
  subscribe = 1 << 6,
  suback = 1 << 7,  // and UNSUBACK
  unsubscribe = 1 << 8,
  disconnect = 1 << 9,
  auth = 1 << 10,
};

enum class PropertyType : std::uint8_t { none, u8, u16, u32, varint, text, binary, pair };

// The type of a property; none: there is no such property.
[[nodiscard]] PropertyType type_of(PropertyId id);

// True for the properties of a PUBLISH that travel to its receivers unchanged (MQTT 5 §3.3.2.3).
[[nodiscard]] constexpr bool travels(PropertyId id) {
  return id == PropertyId::payload_format_indicator || id == PropertyId::content_type ||
         id == PropertyId::response_topic || id == PropertyId::correlation_data ||
         id == PropertyId::user_property;
}

// PropertyScanner: walks the properties of a packet as they came, checking each: known (0x81),
// allowed in this place and not twice (0x82), whole and UTF-8 (0x81), of an allowed value
// (mostly 0x82), and not too many (0x97).
class PropertyScanner {
 public:
  PropertyScanner(ByteView block, Place place, const Settings& settings)
      : cursor_(block), place_(place), users_left_(settings.user_properties_max) {}

  // The next property into `property`. False at the end, or with `fault` set.
  bool next(Property& property, Fault& fault);
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  bool fail(Fault& fault, Reason reason, const char* what) {
    fault = {reason, what};
    failed_ = true;
    return false;
  }

  wire::Cursor cursor_;
  std::uint64_t seen_ = 0;  // one bit per identifier
  Place place_;
  int users_left_;
  bool failed_ = false;
};

// Takes the length and the bytes of a property block off `cursor`. False with `fault` set: not
// whole (0x81) or larger than the settings allow (0x95).
bool take_properties(wire::Cursor& cursor, const Settings& settings, ByteView& block, Fault& fault);

// PropertyGatherer: collects properties that go on as raw bytes. As long as they stand side by
// side it only widens a view; else it puts them together in `scratch`, which must have room for
// the whole block from the start, so that earlier views into it hold.
class PropertyGatherer {
 public:
  PropertyGatherer(Buffer& scratch, std::size_t room) : scratch_(scratch), room_(room) {}
  void add(ByteView raw);
  [[nodiscard]] RawProperties view() const { return view_; }

 private:
  Buffer& scratch_;
  std::size_t room_;
  ByteView view_;
  bool copied_ = false;
};

}  // namespace gnomon::mqtt
