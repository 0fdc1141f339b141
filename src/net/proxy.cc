#include "net/proxy.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "base/limits.h"

namespace gnomon::net {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view v1_start = "PROXY ";
constexpr std::string_view v2_start = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t v2_head = 16;

void set_ipv4(runtime::Peer& peer, const std::uint8_t* four) {
  peer.ip[10] = peer.ip[11] = 0xff;
  std::copy_n(four, 4, peer.ip + 12);
}

std::uint16_t read_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

// ---- version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"

// The next word, up to one space or the end. False: it is empty.
bool next_word(std::string_view& line, std::string_view& word) {
  const std::size_t end = line.find(' ');
  word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  return !word.empty();
}

bool read_address(std::string_view text, bool is_v6, runtime::Peer& peer) {
  const std::string zero_ended(text);
  if (zero_ended.find('\0') != std::string::npos) return false;
  if (is_v6) return inet_pton(AF_INET6, zero_ended.c_str(), peer.ip) == 1;
  std::uint8_t four[4];
  if (inet_pton(AF_INET, zero_ended.c_str(), four) != 1) return false;
  set_ipv4(peer, four);
  return true;
}

// §2.1: no leading zeroes.
bool read_port(std::string_view text, std::uint16_t& port) {
  if (text.size() > 1 && text.front() == '0') return false;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

ProxyRead read_v1(std::string_view text) {
  const std::size_t end = text.substr(0, limits::proxy_v1_bytes_max).find('\n');
  if (end == std::string_view::npos) {
    if (text.size() < limits::proxy_v1_bytes_max) return ProxyMore{};
    return ProxyRefused{"a PROXY line of more than 107 bytes"};
  }
  if (text[end - 1] != '\r') return ProxyRefused{"a PROXY line that does not end with CR LF"};
  std::string_view line = text.substr(v1_start.size(), end - 1 - v1_start.size());
  std::string_view family, source, destination, from, to;
  next_word(line, family);
  ProxyHeader header{end + 1, false, {}};
  // What follows UNKNOWN is ignored, as §2.1 demands.
  if (family == "UNKNOWN") return header;
  const bool is_v6 = family == "TCP6";
  if (!is_v6 && family != "TCP4") return ProxyRefused{"an unknown family in a PROXY line"};
  runtime::Peer there;
  const bool good = next_word(line, source) && next_word(line, destination) &&
                    next_word(line, from) && next_word(line, to) && line.empty() &&
                    text[end - 2] != ' ' && read_address(source, is_v6, header.peer) &&
                    read_address(destination, is_v6, there) && read_port(from, header.peer.port) &&
                    read_port(to, there.port);
  if (!good) return ProxyRefused{"a PROXY line whose addresses cannot be read"};
  header.has_peer = true;
  return header;
}

// ---- version 2

ProxyRead read_v2(ByteView in) {
  if (in.size() < v2_head) return ProxyMore{};
  const std::uint8_t version = in[12] >> 4, command = in[12] & 0x0f, family = in[13] >> 4,
                     transport = in[13] & 0x0f;
  const std::size_t size = v2_head + read_u16(in.data() + 14);
  if (version != 2) return ProxyRefused{"an unknown version of the PROXY protocol"};
  if (command > 1) return ProxyRefused{"an unknown command in a PROXY header"};
  if (family > 3 || transport > 2) return ProxyRefused{"an unknown family in a PROXY header"};
  if (size > limits::proxy_v2_bytes_max)
    return ProxyRefused{"a PROXY header of more than 536 bytes"};
  if (in.size() < size) return ProxyMore{};
  ProxyHeader header{size, false, {}};
  constexpr std::uint8_t local = 0, ipv4 = 1, ipv6 = 2, stream = 1;
  // What it does not tell of a TCP connection is skipped (§2.2), and TLVs always are.
  if (command == local || transport != stream) return header;
  const std::uint8_t* at = in.data() + v2_head;
  const std::size_t ip_bytes = family == ipv4 ? 4 : 16;
  if (family != ipv4 && family != ipv6) return header;
  if (size < v2_head + 2 * ip_bytes + 4)
    return ProxyRefused{"a PROXY header that is too short for its addresses"};
  if (family == ipv4) {
    set_ipv4(header.peer, at);
  } else {
    std::copy_n(at, 16, header.peer.ip);
  }
  header.peer.port = read_u16(at + 2 * ip_bytes);
  header.has_peer = true;
  return header;
}

}  // namespace

ProxyRead read_proxy_header(ByteView in) {
  const std::string_view text = as_text(in);
  const auto begins = [&](std::string_view start) {
    const std::size_t size = std::min(start.size(), text.size());
    return text.substr(0, size) == start.substr(0, size);
  };
  if (begins(v2_start)) return text.size() < v2_start.size() ? ProxyRead{ProxyMore{}} : read_v2(in);
  if (begins(v1_start))
    return text.size() < v1_start.size() ? ProxyRead{ProxyMore{}} : read_v1(text);
  return ProxyRefused{"a connection without a PROXY header"};
}

}  // namespace gnomon::net
