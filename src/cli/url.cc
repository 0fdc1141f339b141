#include "cli/url.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace gnomon::cli {

namespace {

constexpr std::array<std::string_view, 4> schemes{"mqtt", "mqtts", "ws", "wss"};

Error invalid(const char* what) { return {Code::invalid, what}; }

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && text.size() - i > 2 &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

Result<void> take_host(std::string_view text, BrokerUrl& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return invalid("must close the bracket of the address");
    url.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') return invalid("must name a port behind ]");
    port = text;
  } else {
    const std::size_t colon = text.find(':');
    url.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (url.host.empty()) return invalid("must name a host");
  if (port.empty()) return {};
  port.remove_prefix(1);
  std::uint16_t number = 0;
  const auto [stopped, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || stopped != port.data() + port.size() || number == 0) {
    return invalid("must have a port from 1 to 65535");
  }
  url.port = number;
  return {};
}

}  // namespace

Result<BrokerUrl> parse_broker_url(std::string_view text) {
  BrokerUrl url;
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) url.scheme = text.substr(0, scheme);
  if (std::ranges::find(schemes, url.scheme) == schemes.end()) {
    return invalid("must begin with mqtt://, mqtts://, ws:// or wss://");
  }
  std::string_view rest = text.substr(scheme + 3);
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos && url.websocket()) url.path = rest.substr(slash);
  if (slash != std::string_view::npos && !url.websocket())
    url.topic = decoded(rest.substr(slash + 1));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = authority.substr(0, at);
    const std::size_t colon = who.find(':');
    url.username = decoded(who.substr(0, colon));
    if (colon != std::string_view::npos) url.password = decoded(who.substr(colon + 1));
    authority.remove_prefix(at + 1);
  }
  if (auto taken = take_host(authority, url); !taken) return taken.error();
  return url;
}

}  // namespace gnomon::cli
