#include "net/hosts.h"

#include <algorithm>

namespace gnomon::net {
namespace {

// "Name.example:80" → "name.example", "80".
struct Authority {
  std::string host, port;
  bool valid = false;
};

bool is_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Authority split(std::string_view text) {
  Authority split;
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (has_port) split.port = text.substr(colon + 1);
  split.host = lower_case(text.substr(0, has_port ? colon : std::string_view::npos));
  if (split.host.ends_with('.')) split.host.pop_back();
  split.valid = !split.host.empty() && is_digits(split.port) && split.port.size() <= 5 &&
                split.host.find_first_of("/@ ?#,\\") == std::string::npos;
  return split;
}

// An address, in whichever brackets; no more than that is asked: what is no name cannot be rebound.
bool is_address(std::string_view host) {
  if (host.starts_with('[')) return host.ends_with(']');
  return std::ranges::count(host, '.') == 3 &&
         std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

std::string_view without_brackets(std::string_view host) {
  return is_address(host) && host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

bool is_loopback_name(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;  // RFC 6761 §6.3
  return host == "[::1]" || (is_address(host) && host.starts_with("127."));
}

bool matches(std::string_view pattern, std::string_view host) {
  if (pattern == "*" || same_name(pattern, host)) return true;
  if (!pattern.starts_with("*.")) return false;
  const std::string_view below = pattern.substr(1);
  return host.size() > below.size() && same_name(host.substr(host.size() - below.size()), below);
}

}  // namespace

bool KnownHosts::knows_host(std::string_view host) const {
  const Authority asked = split(host);
  if (!asked.valid) return false;
  if (is_loopback_name(asked.host)) return true;
  if (is_address(asked.host)) {
    if (listener == "0.0.0.0" || listener == "::" || listener == "[::]") return true;
    if (same_name(without_brackets(listener), without_brackets(asked.host))) return true;
  }
  return std::ranges::any_of(names, [&](const std::string& name) {
    return matches(name, asked.host) || same_name(name, without_brackets(asked.host));
  });
}

bool KnownHosts::allows_origin(std::string_view origin, std::string_view host) const {
  const bool listed = std::ranges::any_of(
      origins, [&](const std::string& one) { return one == "*" || same_name(one, origin); });
  if (listed) return true;
  const bool secure = origin.starts_with("https://");
  if (!secure && !origin.starts_with("http://")) return false;
  // Whether we or a proxy before us speaks TLS is not known here, so the scheme counts for the port
  // only. (The AWS SDKs name no port at all in Host.)
  const std::string_view usual = secure ? "443" : "80";
  Authority from = split(origin.substr(secure ? 8 : 7));
  Authority to = split(host);
  if (!from.valid || !to.valid) return false;
  if (from.port.empty()) from.port = usual;
  if (to.port.empty()) to.port = usual;
  return from.host == to.host && from.port == to.port;
}

std::optional<Response> refuse_host(const Request& request, const KnownHosts& hosts) {
  const std::string_view host = request.header("host");
  if (hosts.knows_host(host)) return std::nullopt;
  return plain_answer(421, "this server does not know itself as host '" + std::string(host) +
                               "'; the setting \"hosts\" adds names");
}

std::optional<Response> refuse_origin(const Request& request, const KnownHosts& hosts) {
  if (request.count("origin") == 0) return std::nullopt;
  const std::string_view origin = request.header("origin");
  if (request.count("origin") == 1 && hosts.allows_origin(origin, request.header("host")))
    return std::nullopt;
  return plain_answer(403, "pages from '" + std::string(origin) +
                               "' may not use this server; the setting \"origins\" allows them");
}

}  // namespace gnomon::net
