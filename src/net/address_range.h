// Ranges of addresses ("10.0.0.0/8"), for settings that say who is trusted.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "runtime/loop.h"

namespace gnomon::net {

// AddressRange: the addresses that begin with the same bits. A value.
class AddressRange {
 public:
  // An IPv4 or IPv6 address, alone or with "/BITS". Errors: invalid (no address; more bits than it
  // has; bits set behind the range's, which looks like a slip).
  static Result<AddressRange> parse(std::string_view text);
  [[nodiscard]] bool holds(const runtime::Peer& peer) const;

 private:
  std::uint8_t ip_[16] = {};  // IPv4 mapped, as in Peer
  int bits_ = 128;
};

}  // namespace gnomon::net
