// Cryptographic hashes. Those for tables are in base/hash.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace gnomon::crypto {

using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha256 sha256(ByteView bytes);
[[nodiscard]] Sha256 hmac_sha256(ByteView key, ByteView bytes);

// Whether both are the same, in a time that does not tell where they differ (their sizes do show).
[[nodiscard]] bool equal_in_constant_time(ByteView a, ByteView b);

[[nodiscard]] std::string hex(ByteView bytes);  // lower case

}  // namespace gnomon::crypto
