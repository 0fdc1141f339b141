#include "server/admin_request.h"

#include <algorithm>

#include "net/hosts.h"

namespace gnomon::server {

namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Result<void> check_sender(const net::Request& request) {
  if (!request.header("Origin").empty()) {
    return Error{Code::denied, "this is not for pages in a browser: the request has an Origin"};
  }
  if (!net::KnownHosts().knows_host(request.header("Host"))) {
    return Error{Code::denied, "the Host of the request must be localhost or a loopback address"};
  }
  return {};
}

Result<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : digit_of(text[i + 2]);
    if (low < 0 || high * 16 + low == 0) {
      return Error{Code::invalid, "the query is not percent-encoded"};
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

Result<Query> read_query(std::string_view target, std::initializer_list<std::string_view> known) {
  Query query;
  std::string_view rest = target.substr(std::min(target.find('?'), target.size()));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size());
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string names;
      for (const std::string_view each : known) (names += names.empty() ? "" : ", ") += each;
      return Error{Code::invalid, "the query knows only: " + (names.empty() ? "nothing" : names)};
    }
    auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) return value.error();
    query.insert_or_assign(std::string(name), std::move(*value));
  }
  return query;
}

net::Response refusal(const Error& error, int missing) {
  int status = 500;
  switch (error.code) {
    case Code::invalid:
      status = 400;
      break;
    case Code::denied:
      status = 403;
      break;
    case Code::not_found:
      status = missing;
      break;
    case Code::conflict:
    case Code::exhausted:
    case Code::unsupported:
      status = 409;
      break;
    case Code::unavailable:
      break;
  }
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, error.message + "\n"};
}

}  // namespace gnomon::server
