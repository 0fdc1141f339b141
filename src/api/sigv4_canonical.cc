// The texts that are hashed and signed, and the time in their form.
#include <algorithm>
#include <charconv>
#include <chrono>

#include "api/sigv4.h"
#include "api/uri.h"
#include "crypto/hash.h"

namespace gnomon::api {
namespace {

// Dot segments and empty ones are resolved before a path is signed (not by S3).
std::string normalized(std::string_view path) {
  std::vector<std::string_view> segments;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      segments.push_back(segment);
    } else if (!segments.empty()) {
      segments.pop_back();
    }
  }
  std::string out;
  for (const std::string_view segment : segments) out.append("/").append(segment);
  if (segments.empty() || path.ends_with('/')) out += '/';
  return out;
}

// What came is encoded once already.
std::string canonical_path(std::string_view path, bool encoded_twice) {
  if (encoded_twice) return percent_encode(normalized(path), "/");
  const auto decoded = percent_decode(path);
  return decoded && !decoded->empty() ? percent_encode(*decoded, "/") : "/";
}

std::string canonical_query(std::string_view query, std::span<const std::string_view> leave_out) {
  std::vector<Parameter> parameters = read_parameters(query).value_or(std::vector<Parameter>());
  std::erase_if(parameters, [leave_out](const Parameter& parameter) {
    return std::ranges::find(leave_out, parameter.name) != leave_out.end();
  });
  for (Parameter& parameter : parameters) {
    parameter = {percent_encode(parameter.name), percent_encode(parameter.value)};
  }
  std::ranges::sort(parameters);
  std::string out;
  for (const Parameter& parameter : parameters) {
    if (!out.empty()) out += '&';
    out.append(parameter.name).append("=").append(parameter.value);
  }
  return out;
}

// Without white space at the ends, and with one space for each run of it.
void append_trimmed(std::string& out, std::string_view value) {
  const std::size_t begin = out.size();
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (out.size() == begin || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (out.size() > begin && out.back() == ' ') out.pop_back();
}

std::string canonical_header(const net::Request& request, std::string_view name) {
  std::string out(name);
  out += ':';
  // What a request of HTTP/2 calls :authority, one of HTTP/1.1 has in Host.
  if (name == ":authority") name = "host";
  bool first = true;
  for (const net::Header& header : request.headers) {
    if (!net::same_name(header.name, name)) continue;
    if (!first) out += ',';
    append_trimmed(out, header.value);
    first = false;
  }
  return out += '\n';
}

bool read_number(std::string_view text, int& value) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() && text[0] != '-';
}

}  // namespace

std::string canonical_request(const net::Request& request,
                              std::span<const std::string> signed_headers,
                              std::string_view payload_hash, bool path_encoded_twice,
                              std::span<const std::string_view> leave_out) {
  std::string out = request.method + '\n';
  out += canonical_path(request.path(), path_encoded_twice) + '\n';
  out += canonical_query(query_of(request.target), leave_out) + '\n';
  for (const std::string& name : signed_headers) out += canonical_header(request, name);
  out += '\n';
  for (const std::string& name : signed_headers) {
    if (&name != signed_headers.data()) out += ';';
    out += name;
  }
  out.append("\n").append(payload_hash);
  return out;
}

std::string string_to_sign(std::string_view timestamp, std::string_view scope,
                           std::string_view canonical) {
  std::string out = "AWS4-HMAC-SHA256\n";
  out.append(timestamp).append("\n").append(scope).append("\n");
  return out += crypto::hex(crypto::sha256(as_bytes(canonical)));
}

std::string signature(std::string_view secret, std::string_view date, std::string_view region,
                      std::string_view service, std::string_view text) {
  std::string start = "AWS4";
  start += secret;
  crypto::Sha256 key = crypto::hmac_sha256(as_bytes(start), as_bytes(date));
  key = crypto::hmac_sha256(key, as_bytes(region));
  key = crypto::hmac_sha256(key, as_bytes(service));
  key = crypto::hmac_sha256(key, as_bytes("aws4_request"));
  return crypto::hex(crypto::hmac_sha256(key, as_bytes(text)));
}

std::string amz_date(WallTime at) {
  std::string text = to_string(at);  // "2026-11-25T15:13:21.000Z"
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text.substr(0, 15) + 'Z';
}

std::optional<WallTime> from_amz_date(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  if (!read_number(text.substr(0, 4), year) || !read_number(text.substr(4, 2), month) ||
      !read_number(text.substr(6, 2), day) || !read_number(text.substr(9, 2), hour) ||
      !read_number(text.substr(11, 2), minute) || !read_number(text.substr(13, 2), second)) {
    return std::nullopt;
  }
  namespace chrono = std::chrono;
  const chrono::year_month_day date{chrono::year(year), chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1970 || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const chrono::seconds at = chrono::sys_days(date).time_since_epoch() + chrono::hours(hour) +
                             chrono::minutes(minute) + chrono::seconds(second);
  return WallTime{chrono::milliseconds(at).count()};
}

}  // namespace gnomon::api
