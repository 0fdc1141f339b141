#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "runtime/loop.h"
#include "runtime/network.h"

namespace gnomon::runtime {
namespace {

constexpr std::uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Error bad_address(std::string_view text, const char* why) {
  return {Code::invalid, "'" + std::string(text) + "' is not an address: " + why};
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return bad_address(text, "there is no port (write host:port)");
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return bad_address(text, "an IPv6 address is written in brackets, [::1]:1883");
  }
  if (host.empty()) return bad_address(text, "the host is empty (write 0.0.0.0 for all)");
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return bad_address(text, "the port is a number from 0 to 65535");
  }
  return Address{std::string(host), port};
}

std::string to_string(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

bool is_loopback(const Address& address) {
  if (address.host == "localhost") return true;
  Peer peer;
  in_addr v4{};
  if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) {
    std::memcpy(peer.ip, mapped_prefix, sizeof mapped_prefix);
    std::memcpy(peer.ip + sizeof mapped_prefix, &v4, sizeof v4);
  } else if (inet_pton(AF_INET6, address.host.c_str(), peer.ip) != 1) {
    return false;
  }
  return peer.is_loopback();
}

std::string Peer::address() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (std::memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0) {
    inet_ntop(AF_INET, ip + sizeof mapped_prefix, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, ip, text, sizeof text);
  }
  return text;
}

std::string Peer::to_string() const { return runtime::to_string(Address{address(), port}); }

bool Peer::is_loopback() const {
  if (std::memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0) {
    return ip[sizeof mapped_prefix] == 127;
  }
  constexpr std::uint8_t one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return std::memcmp(ip, one, sizeof one) == 0;
}

Result<Address> resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  if (failed != 0 || found == nullptr) {
    return Error{Code::not_found,
                 "host '" + address.host + "' cannot be resolved: " + gai_strerror(failed)};
  }
  // IPv4 first: "localhost" then means the same address to every program on the machine.
  const addrinfo* chosen = found;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {
      chosen = each;
      break;
    }
  }
  char text[NI_MAXHOST] = {};
  if (getnameinfo(chosen->ai_addr, chosen->ai_addrlen, text, sizeof text, nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return Error{Code::not_found, "host '" + address.host + "' has no usable address"};
  }
  return Address{text, address.port};
}

}  // namespace gnomon::runtime
