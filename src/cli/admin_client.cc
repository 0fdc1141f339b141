#include "cli/admin_client.h"

#include <utility>

#include "cli/http_client.h"

namespace gnomon::cli {

Result<AdminAnswer> ask(const std::string& address, const std::string& method,
                        const std::string& target) {
  net::Request request{.method = method, .target = target, .headers = {}, .body = {}};
  request.headers.push_back({"Host", address});
  auto response = exchange({.address = address, .tls = nullptr, .patience = {}}, request);
  if (!response) return response.error();
  return AdminAnswer{response->status, std::move(response->body)};
}

std::string encoded(const std::string& text) {
  constexpr std::string_view plain = "-._~/";
  constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || plain.find(c) != std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    (out += '%') += hex[byte >> 4];
    out += hex[byte & 15];
  }
  return out;
}

WallTime read_wall_time(std::string_view digits) {
  WallTime at;
  for (const char c : digits) at.ms = at.ms * 10 + (c - '0');
  return at;
}

}  // namespace gnomon::cli
