// Sealing: what is kept outside, in the store or with a client, and neither read nor changed there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace gnomon::crypto {

using MasterKey = std::array<std::uint8_t, 32>;

// Sealer: AES-256-GCM (NIST SP 800-38D) under a key derived for each text, so that there may be any
// number of them under one master key: with random nonces alone GCM ends at 2^32.
//   sealed = 0x01 | 12 bytes that derive the key | 12 bytes nonce | text, encrypted | 16 bytes tag
// A value, immutable; any thread.
class Sealer {
 public:
  explicit Sealer(const MasterKey& key) : key_(key) {}

  // `associated`: what the text belongs to ("access key AKIA…"). It is not in what is returned, and
  // must be the same when that is opened, so that nobody puts one sealed text in another's place.
  [[nodiscard]] std::string seal(std::string_view text, std::string_view associated,
                                 Random& random) const;
  // Nothing: it was not sealed with this key for this `associated`, or has been changed.
  [[nodiscard]] std::optional<std::string> open(std::string_view sealed,
                                                std::string_view associated) const;

 private:
  MasterKey key_;
};

}  // namespace gnomon::crypto
