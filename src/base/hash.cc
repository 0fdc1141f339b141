#include "base/hash.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace gnomon {
namespace {

static_assert(std::endian::native == std::endian::little);
__extension__ using Wide = unsigned __int128;

// Folded 64 × 64 → 128 bit multiplication: every bit of the result depends on every bit of both.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t read8(const char* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
std::uint64_t read4(const char* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
// One to three bytes as one word: the first, the middle and the last.
std::uint64_t read_few(const char* at, std::size_t count) {
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
  return byte(0) << 16 | byte(count >> 1) << 8 | byte(count - 1);
}

// Odd numbers with 32 bits set, evenly spread (those of wyhash 4).
constexpr std::uint64_t secret0 = 0xa0761d6478bd642f;
constexpr std::uint64_t secret1 = 0xe7037ed1a0b428db;
constexpr std::uint64_t secret2 = 0x8ebc6af09c88c6e3;

}  // namespace

// After wyhash (Wang Yi, public domain): 16 bytes a multiplication, the last 16 read from the end
// and possibly twice, so that there is no loop over single bytes.
std::uint64_t keyed_hash(std::string_view text, std::uint64_t seed) {
  const char* at = text.data();
  const std::size_t size = text.size();
  std::uint64_t a = 0, b = 0;
  seed ^= mix(seed ^ secret0, secret1);
  if (size > 16) {
    std::size_t left = size;
    for (; left > 16; left -= 16, at += 16) {
      seed = mix(read8(at) ^ secret1, read8(at + 8) ^ seed);
    }
    a = read8(at + left - 16);
    b = read8(at + left - 8);
  } else if (size >= 4) {
    const std::size_t middle = (size >> 3) << 2;
    a = read4(at) << 32 | read4(at + middle);
    b = read4(at + size - 4) << 32 | read4(at + size - 4 - middle);
  } else if (size > 0) {
    a = read_few(at, size);
  }
  return mix(secret2 ^ size, mix(a ^ secret1, b ^ seed));
}

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

}  // namespace gnomon
