// Hashes that are not cryptographic.
#pragma once

#include <cstdint>
#include <string_view>

namespace gnomon {

// Hash of `text` for tables in memory, keyed by `seed` (random per process) so that a client
// cannot choose colliding names. Differs between runs: never store it.
std::uint64_t keyed_hash(std::string_view text, std::uint64_t seed);

// "fnv1a64-fmix": FNV-1a over the bytes, then MurmurHash3's 64-bit finaliser. Fixed for ever:
// the slot of a key on disk comes from it. Test vectors in hash_test.cc.
std::uint64_t stable_hash(std::string_view text);

}  // namespace gnomon
