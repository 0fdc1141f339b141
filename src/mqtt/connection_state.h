// Internal to mqtt: what both halves of Connection share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "mqtt/connection.h"

namespace gnomon::mqtt {

struct Connection::Extras {
  // Aliases that the peer set: the topic of alias n at n - 1, empty if it has none. A topic of
  // theirs may be as long as MQTT allows, so a peer can make this topic_alias_max × 64 KiB.
  std::vector<std::string> aliases_in;

  // Aliases that we set, in the order of their numbers. The signs are compared first.
  std::vector<std::uint64_t> alias_signs;
  std::vector<std::string> aliases_out;

  // Bytes given to keep() while views into kept_ are in use; they follow those in kept_.
  Buffer parked;
};

}  // namespace gnomon::mqtt
