// The MQTT 5 properties that -D gives to the packets of pub and sub, named as mosquitto names them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "mqtt/types.h"

namespace gnomon::cli {

// Where a property goes.
enum class Packet : std::uint8_t { connect, will, publish, subscribe, unsubscribe, disconnect };
constexpr std::size_t packets = 6;

class ClientProperties {
 public:
  // Takes one property off the front: "connect receive-maximum 10" or "publish user-property k v".
  // Returns how many words it took, or says what is wrong.
  std::size_t take(std::span<const std::string> words, std::string& wrong);
  [[nodiscard]] bool empty() const;
  // A packet that has properties and is not among `sent`: "" or a sentence.
  [[nodiscard]] std::string unused(std::span<const Packet> sent) const;

  [[nodiscard]] std::optional<std::uint32_t> number(Packet packet, mqtt::PropertyId id) const;
  [[nodiscard]] std::optional<std::string_view> text(Packet packet, mqtt::PropertyId id) const;
  // Those that a packet carries as they are: of a message what travels with it, of others the user
  // properties. Views of it end with the Buffer.
  [[nodiscard]] Buffer raw(Packet packet) const;

 private:
  struct Given {
    mqtt::PropertyId id;
    std::uint32_t number = 0;
    std::string text, value;
  };
  [[nodiscard]] static std::string read_value(const std::string& place, const std::string& text,
                                              Given& one, std::uint32_t least, std::uint32_t most);
  [[nodiscard]] const Given* find(Packet packet, mqtt::PropertyId id) const;
  std::array<std::vector<Given>, packets> given_;
};

}  // namespace gnomon::cli
