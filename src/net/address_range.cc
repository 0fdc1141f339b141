#include "net/address_range.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <string>

namespace gnomon::net {
namespace {

constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// How many leading bits of both are the same.
int common_bits(const std::uint8_t* a, const std::uint8_t* b) {
  for (int i = 0; i < 128; ++i) {
    if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1) != 0) return i;
  }
  return 128;
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return Error{Code::invalid, '"' + std::string(text) + "\" " + std::string(why)};
  };
  AddressRange range;
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string address(text.substr(0, slash));
  const bool v4 = address.find(':') == std::string::npos;
  if (v4) std::copy_n(mapped, sizeof mapped, range.ip_);
  if (inet_pton(v4 ? AF_INET : AF_INET6, address.c_str(), v4 ? range.ip_ + 12 : range.ip_) != 1) {
    return wrong("must be an address, or one with /BITS");
  }
  if (slash == text.size()) return range;
  const std::string_view digits = text.substr(slash + 1);
  const int most = v4 ? 32 : 128;
  int bits = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > most) {
    return wrong("must end in /0 to /" + std::to_string(most));
  }
  range.bits_ = bits + 128 - most;
  for (int i = range.bits_; i < 128; ++i) {
    if ((range.ip_[i / 8] >> (7 - i % 8) & 1) != 0) return wrong("has bits set behind its range");
  }
  return range;
}

bool AddressRange::holds(const runtime::Peer& peer) const {
  return common_bits(ip_, peer.ip) >= bits_;
}

}  // namespace gnomon::net
