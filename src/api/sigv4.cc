#include "api/sigv4.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/dates.h"
#include "api/uri.h"
#include "base/limits.h"
#include "crypto/hash.h"

namespace gnomon::api {
namespace {

using Reason = Refusal::Reason;

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view terminator = "aws4_request";
constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";
constexpr std::array<std::string_view, 7> query_names = {
    "X-Amz-Algorithm",     "X-Amz-Credential", "X-Amz-Date",          "X-Amz-Expires",
    "X-Amz-SignedHeaders", "X-Amz-Signature",  "X-Amz-Security-Token"};

Refusal incomplete(std::string message) { return {Reason::incomplete, std::move(message)}; }
Refusal mismatch(std::string message) { return {Reason::mismatch, std::move(message)}; }

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

bool has_aws_authorization(const net::Request& request) {
  return std::ranges::any_of(request.headers, [](const net::Header& header) {
    return net::same_name(header.name, "authorization") && header.value.starts_with("AWS");
  });
}

bool is_query_name(std::string_view name) {
  return std::ranges::find(query_names, name) != query_names.end();
}

// "Credential=…, SignedHeaders=…, Signature=…" behind the name of the algorithm, in any order.
std::optional<Refusal> read_authorization(std::string_view text, std::string& credential,
                                          std::string& headers, std::string& signature) {
  const std::size_t blank = std::min(text.find(' '), text.size());
  if (text.substr(0, blank) != algorithm) {
    return incomplete("Unsupported AWS 'algorithm': " + quoted(text.substr(0, blank)) +
                      ", the one there is: 'AWS4-HMAC-SHA256'.");
  }
  std::string_view rest = text.substr(blank), member;
  while (net::next_member(rest, member)) {
    const std::size_t equals = std::min(member.find('='), member.size());
    const std::string_view name = member.substr(0, equals);
    std::string* const part = name == "Credential"      ? &credential
                              : name == "SignedHeaders" ? &headers
                              : name == "Signature"     ? &signature
                                                        : nullptr;
    if (part == nullptr || equals == member.size() || !part->empty()) {
      return incomplete(quoted(member) + " not a valid key=value pair (missing equal-sign, " +
                        "unknown or twice) in Authorization header.");
    }
    *part = member.substr(equals + 1);
  }
  std::string missing;
  for (const auto& [name, part] : {std::pair{"Credential", &credential},
                                   {"Signature", &signature},
                                   {"SignedHeaders", &headers}}) {
    if (!part->empty()) continue;
    missing += std::string("Authorization header requires '") + name + "' parameter. ";
  }
  if (missing.empty()) return std::nullopt;
  return incomplete(missing);
}

std::optional<Refusal> read_header_form(const net::Request& request, Claim& claim,
                                        std::string& credential, std::string& headers) {
  for (const char* name : {"authorization", "x-amz-date", "date", "x-amz-security-token"}) {
    if (request.count(name) > 1) return incomplete(quoted(name) + " was sent twice.");
  }
  claim.form = Claim::Form::header;
  auto refusal =
      read_authorization(request.header("authorization"), credential, headers, claim.signature);
  if (refusal) return refusal;
  claim.security_token = request.header("x-amz-security-token");
  if (request.count("x-amz-date") == 1) {
    claim.timestamp = request.header("x-amz-date");
  } else if (request.count("date") == 1) {
    const auto at = from_http_date(request.header("date"));
    claim.timestamp = at ? amz_date(*at) : std::string(request.header("date"));
  } else {
    return incomplete(
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  return std::nullopt;
}

std::optional<Refusal> read_query_form(const std::vector<Parameter>& parameters,
                                       const net::Request& request, Claim& claim,
                                       std::string& credential, std::string& headers) {
  claim.form = Claim::Form::query;
  std::array<const std::string*, query_names.size()> values{};
  for (const Parameter& parameter : parameters) {
    const auto name = std::ranges::find(query_names, parameter.name);
    if (name == query_names.end()) continue;
    auto& value = values[static_cast<std::size_t>(name - query_names.begin())];
    if (value != nullptr) return incomplete(quoted(parameter.name) + " was sent twice.");
    value = &parameter.value;
  }
  for (const std::size_t i : {0U, 1U, 2U, 4U, 5U}) {
    if (values[i] != nullptr && !values[i]->empty()) continue;
    return incomplete("AWS query-string parameters must include " + quoted(query_names[i]) + ".");
  }
  if (*values[0] != algorithm) {
    return incomplete("Unsupported AWS 'algorithm': " + quoted(*values[0]) +
                      ", the one there is: 'AWS4-HMAC-SHA256'.");
  }
  if (values[6] != nullptr && request.count("x-amz-security-token") != 0) {
    return incomplete("'X-Amz-Security-Token' was sent twice.");
  }
  credential = *values[1];
  claim.timestamp = *values[2];
  headers = *values[4];
  claim.signature = *values[5];
  claim.security_token =
      values[6] != nullptr ? *values[6] : std::string(request.header("x-amz-security-token"));
  if (values[3] == nullptr) return std::nullopt;
  const char* const end = values[3]->data() + values[3]->size();
  const auto read = std::from_chars(values[3]->data(), end, claim.expires_seconds);
  const std::chrono::seconds most = limits::presigned_expiry_max;
  if (read.ec != std::errc() || read.ptr != end || claim.expires_seconds < 1 ||
      claim.expires_seconds > most.count()) {
    return incomplete("X-Amz-Expires must be a number from 1 to " + std::to_string(most.count()) +
                      " (seconds).");
  }
  return std::nullopt;
}

std::optional<Refusal> read_scope(std::string_view credential, Claim& claim) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = credential;;) {
    const std::size_t slash = rest.find('/');
    parts.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (parts.size() != 5 || std::ranges::any_of(parts, &std::string_view::empty)) {
    return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. " +
                      std::string("keyid/date/region/service/term, got ") + quoted(credential));
  }
  if (parts[4] != terminator) {
    return mismatch("Credential should be scoped with a valid terminator: 'aws4_request', not " +
                    quoted(parts[4]) + ".");
  }
  claim.access_key_id = parts[0];
  claim.date = parts[1];
  claim.region = parts[2];
  claim.service = parts[3];
  return std::nullopt;
}

std::optional<Refusal> read_signed_headers(std::string_view text, Claim& claim) {
  for (std::string_view rest = text;;) {
    const std::size_t end = rest.find(';');
    const std::string_view name = rest.substr(0, end);
    const bool in_order = claim.signed_headers.empty() || claim.signed_headers.back() < name;
    if (name.empty() || !in_order || net::lower_case(name) != name ||
        claim.signed_headers.size() == limits::signed_headers_max) {
      return incomplete("'SignedHeaders' must be names in lower case, sorted, each once, got " +
                        quoted(text));
    }
    claim.signed_headers.emplace_back(name);
    if (end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end + 1);
  }
}

bool signs(const Claim& claim, std::string_view name) {
  return std::ranges::binary_search(claim.signed_headers, name);
}

// Whoever has seen a signed request may send it again with what the signature does not cover.
std::optional<Refusal> check_headers(const net::Request& request, const Claim& claim,
                                     const Demands& demands) {
  if (request.count("host") != 1 || (!signs(claim, "host") && !signs(claim, ":authority"))) {
    return mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  for (const std::string& name : claim.signed_headers) {
    if (name == ":authority" || request.count(name) > 0) continue;
    return mismatch("The header " + quoted(name) + " is signed, and was not sent.");
  }
  for (const net::Header& header : request.headers) {
    const std::string name = net::lower_case(header.name);
    if (!name.starts_with("x-amz") &&
        std::ranges::find(demands.bound_headers, name) == demands.bound_headers.end()) {
      continue;
    }
    if (name == "x-amz-security-token" && demands.token_may_be_unsigned) continue;
    if (signs(claim, name)) continue;
    return mismatch("There were headers present in the request which were not signed: " +
                    quoted(name));
  }
  return std::nullopt;
}

std::optional<Refusal> check_scope(const Claim& claim, const Demands& demands) {
  if (claim.region != demands.region) {
    return mismatch("Credential should be scoped to a valid region, not " + quoted(claim.region) +
                    ": here it is " + quoted(demands.region) + ".");
  }
  if (claim.service != demands.service) {
    return mismatch("Credential should be scoped to correct service: " + quoted(demands.service) +
                    ".");
  }
  if (claim.date != std::string_view(claim.timestamp).substr(0, 8)) {
    return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of " +
                    std::string("date from HTTP: ") + quoted(claim.date) +
                    " != " + quoted(claim.timestamp.substr(0, 8)) + ", from " +
                    quoted(claim.timestamp) + ".");
  }
  return std::nullopt;
}

std::optional<Refusal> check_time(const Claim& claim, WallTime now) {
  const std::chrono::milliseconds skew = limits::clock_skew_max;
  const std::string skew_text = std::to_string(limits::clock_skew_max.count()) + " min.)";
  if (claim.signed_at > now + skew) {
    return mismatch("Signature not yet current: " + claim.timestamp + " is still later than " +
                    amz_date(now + skew) + " (" + amz_date(now) + " + " + skew_text);
  }
  if (claim.expires_seconds > 0) {
    const WallTime end = claim.signed_at + std::chrono::seconds(claim.expires_seconds);
    if (now <= end) return std::nullopt;
    return mismatch("Signature expired: " + amz_date(end) + " is now earlier than " +
                    amz_date(now) + ".");
  }
  if (claim.signed_at + skew >= now) return std::nullopt;
  return mismatch("Signature expired: " + claim.timestamp + " is now earlier than " +
                  amz_date(now + -skew) + " (" + amz_date(now) + " - " + skew_text);
}

// The last line of the canonical request.
std::optional<Refusal> find_payload_hash(const net::Request& request, const Claim& claim,
                                         const Demands& demands, std::string& hash) {
  const bool may_be_unsigned = demands.payload == Demands::Payload::unsigned_;
  if (request.count("x-amz-content-sha256") > 1) {
    return incomplete("'x-amz-content-sha256' was sent twice.");
  }
  const std::string_view stated = request.header("x-amz-content-sha256");
  if (may_be_unsigned &&
      (stated == unsigned_payload || (stated.empty() && claim.form == Claim::Form::query))) {
    hash = unsigned_payload;
    return std::nullopt;
  }
  hash = crypto::hex(crypto::sha256(as_bytes(request.body)));
  if (stated.empty() || stated == hash) return std::nullopt;
  return mismatch("The provided 'x-amz-content-sha256' header does not match what was computed.");
}

}  // namespace

bool is_signed(const net::Request& request) {
  if (has_aws_authorization(request)) return true;
  const auto parameters = read_parameters(query_of(request.target));
  return parameters && std::ranges::any_of(*parameters, is_query_name, &Parameter::name);
}

std::optional<Refusal> read_claim(const net::Request& request, Claim& claim) {
  claim = {};
  const auto parameters = read_parameters(query_of(request.target));
  if (!parameters) return incomplete("The query of the request cannot be read.");
  const bool in_header = has_aws_authorization(request);
  const bool in_query = std::ranges::any_of(*parameters, is_query_name, &Parameter::name);
  if (!in_header && !in_query) return Refusal{Reason::missing, "Missing Authentication Token"};
  if (in_header && in_query) {
    return incomplete(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
        "query string parameter or the Authorization header should be specified");
  }
  std::string credential, headers;
  auto refusal = in_header ? read_header_form(request, claim, credential, headers)
                           : read_query_form(*parameters, request, claim, credential, headers);
  if (!refusal) refusal = read_scope(credential, claim);
  if (!refusal) refusal = read_signed_headers(headers, claim);
  if (refusal) return refusal;
  const auto at = from_amz_date(claim.timestamp);
  if (!at) {
    return incomplete("Date must be in ISO-8601 'basic format'. Got " + quoted(claim.timestamp) +
                      ". See http://en.wikipedia.org/wiki/ISO_8601");
  }
  claim.signed_at = *at;
  return std::nullopt;
}

std::optional<Refusal> verify(const net::Request& request, const Claim& claim,
                              std::string_view secret, const Demands& demands, WallTime now) {
  auto refusal = check_scope(claim, demands);
  if (!refusal) refusal = check_time(claim, now);
  if (!refusal) refusal = check_headers(request, claim, demands);
  std::string hash;
  if (!refusal) refusal = find_payload_hash(request, claim, demands, hash);
  if (refusal) return refusal;

  const std::string scope = claim.date + '/' + claim.region + '/' + claim.service + "/aws4_request";
  const auto fits = [&](std::span<const std::string_view> leave_out) {
    const std::string canonical = canonical_request(request, claim.signed_headers, hash,
                                                    demands.path_encoded_twice, leave_out);
    const std::string expected = signature(secret, claim.date, claim.region, claim.service,
                                           string_to_sign(claim.timestamp, scope, canonical));
    return crypto::equal_in_constant_time(as_bytes(expected), as_bytes(claim.signature));
  };
  constexpr std::array<std::string_view, 2> left_out = {"X-Amz-Signature", "X-Amz-Security-Token"};
  const bool query = claim.form == Claim::Form::query;
  if (fits(std::span(left_out).first(query ? 1 : 0))) return std::nullopt;
  if (query && demands.token_may_be_unsigned && !claim.security_token.empty() && fits(left_out)) {
    return std::nullopt;
  }
  return mismatch(
      "The request signature we calculated does not match the signature you provided. Check your "
      "AWS Secret Access Key and signing method. Consult the service documentation for details.");
}

}  // namespace gnomon::api
