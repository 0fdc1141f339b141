// The topics of device shadows (AWS IoT: "Device Shadow MQTT topics"). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gnomon::shadow {

// What can be done to a shadow. The first three can be asked for by publishing; `forget` is what a
// sweep does (sweep.h); `index` writes its postings again. Of these two nobody is told.
enum class Ask : std::uint8_t { get, update, remove, restore, forget, index };

// Which shadow of which thing; of the classic one the name is empty.
struct Address {
  std::string thing, name;
  bool operator==(const Address&) const = default;
};
// What it is called in what is told of it: the classic shadow has the name of its thing.
[[nodiscard]] inline const std::string& name_of(const Address& address) {
  return address.name.empty() ? address.thing : address.name;
}
struct Topic {
  Address address;
  Ask ask = Ask::get;
};

[[nodiscard]] bool is_thing_name(std::string_view name);
[[nodiscard]] bool is_shadow_name(std::string_view name);  // not empty

// A topic that requests are published to: `$aws/things/THING/shadow/update`,
// `$aws/things/THING/shadow/name/NAME/get`. nullopt: another one, or no such names.
[[nodiscard]] std::optional<Topic> read_topic(std::string_view topic);

// `$aws/things/THING/shadow/name/NAME/`, for what is answered.
[[nodiscard]] std::string topic_prefix(const Address& address);
// "get", "update", "delete": a restore is an update; of what is forgotten nobody is told.
[[nodiscard]] std::string_view word_of(Ask ask);

}  // namespace gnomon::shadow
