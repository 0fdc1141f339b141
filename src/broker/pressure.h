// Pressure: what is to be done about messages that clients do not take as fast as others publish.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/limits.h"

namespace gnomon::broker {

// How much of its memory for messages on their way to clients a server uses.
enum class Pressure : std::uint8_t {
  none,
  // Who publishes more than its fair share waits for its acknowledgements; QoS 0 is dropped where a
  // receiver is behind; receivers that take nothing at all are disconnected.
  slow,
  // What is published beyond the fair share is refused (0x97), QoS 0 dropped.
  refuse,
};

// Watermarks for one server of `shards` shards that may hold `held_bytes_max`. A value.
class Watermarks {
 public:
  Watermarks(std::uint64_t held_bytes_max, int shards)
      : server_max_(held_bytes_max),
        // One shard alone must not starve the others.
        shard_max_(shards > 1 ? held_bytes_max / 4 * 3 : held_bytes_max) {}

  // The pressure on a shard that holds `own` bytes of `all` on the server. It was `before`: it
  // falls a quarter below the mark at which it rises, so that it does not flutter.
  [[nodiscard]] Pressure look(std::uint64_t own, std::uint64_t all, Pressure before) const {
    const auto beyond = [&](std::uint64_t eighths) {
      return own > shard_max_ / 8 * eighths || all > server_max_ / 8 * eighths;
    };
    if (beyond(before == Pressure::refuse ? 6 : 8)) return Pressure::refuse;
    if (beyond(before == Pressure::none ? 4 : 3)) return Pressure::slow;
    return Pressure::none;
  }

 private:
  std::uint64_t server_max_, shard_max_;
};

}  // namespace gnomon::broker
