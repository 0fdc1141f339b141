#include "server/backup.h"

#include <cstdio>
#include <system_error>

#include "runtime/loop.h"
#include "store/folder.h"

namespace gnomon::server {

namespace {

namespace fs = std::filesystem;

// Absolute, without links as far as it exists.
fs::path plain(const std::string& path) {
  std::error_code failed;
  const fs::path found = fs::weakly_canonical(fs::absolute(path), failed);
  return failed ? fs::absolute(path).lexically_normal() : found;
}

bool is_within(const fs::path& path, const fs::path& folder) {
  const fs::path from = path.lexically_relative(folder);
  return !from.empty() && *from.begin() != "..";
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Percent-decoded (RFC 3986 §2.1). Errors: invalid.
Result<std::string> decoded(std::string_view text) {
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

// The host of "localhost:8080", "[::1]:8080", "127.0.0.1".
bool is_ours(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    host = host.substr(1, end - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  return host == "localhost" || runtime::is_loopback({std::string(host), 0});
}

struct Query {
  std::string to, data;
};

Result<Query> read_query(std::string_view target) {
  Query query;
  std::string_view rest = target.substr(std::min(target.find('?'), target.size()));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size());
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) return value.error();
    if (name == "to") {
      query.to = std::move(*value);
    } else if (name == "data") {
      query.data = std::move(*value);
    } else {
      return Error{Code::invalid, "the query knows to=FOLDER and data=FOLDER only"};
    }
  }
  return query;
}

}  // namespace

std::string amount_and_time(const fs::path& folder, Duration took) {
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code unknown;
    if (!it->is_regular_file(unknown)) continue;
    const std::uintmax_t size = it->file_size(unknown);
    if (!unknown) bytes += size;
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f", std::chrono::duration<double>(took).count());
  return std::to_string(bytes) + " bytes in " + seconds + " s";
}

Result<std::string> back_up(store::Store& store, const std::string& data, const std::string& target,
                            const MonotonicClock& clock) {
  if (is_within(plain(target), plain(data))) {
    return Error{Code::invalid, target + " is in the data folder " + data +
                                    ": a backup there would be lost together with it"};
  }
  const Instant begin = clock.now();
  if (auto written = store::write_backup(store, target); !written) return written.error();
  return target + ": " + amount_and_time(target, clock.now() - begin);
}

Result<std::string> read_backup_request(const net::Request& request, const std::string& data) {
  if (!request.header("Origin").empty()) {
    return Error{Code::denied, "a backup is not for pages in a browser: the request has an Origin"};
  }
  if (!is_ours(request.header("Host"))) {
    return Error{Code::denied, "the Host of the request must be localhost or a loopback address"};
  }
  if (!request.body.empty()) return Error{Code::invalid, "the request must not have a body"};
  auto query = read_query(request.target);
  if (!query) return query.error();
  if (!query->to.starts_with('/')) {
    return Error{Code::invalid, "to=FOLDER must be an absolute path: where the backup is to be"};
  }
  if (!query->data.empty() && plain(query->data) != plain(data)) {
    return Error{Code::not_found, "the data folder of this server is " + plain(data).string() +
                                      ", not " + query->data};
  }
  return query->to;
}

net::Response refusal(const Error& error) {
  int status = 500;
  switch (error.code) {
    case Code::invalid:
      status = 400;
      break;
    case Code::denied:
      status = 403;
      break;
    case Code::not_found:
      status = 421;
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
