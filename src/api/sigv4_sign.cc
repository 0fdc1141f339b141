// Signing: the client's half.
#include <algorithm>

#include "api/sigv4.h"
#include "api/uri.h"
#include "crypto/hash.h"

namespace gnomon::api {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::vector<std::string> header_names(const net::Request& request) {
  std::vector<std::string> names;
  for (const net::Header& header : request.headers) names.push_back(net::lower_case(header.name));
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : ";").append(name);
  return out;
}

std::string scope_of(const Signer& signer, std::string_view timestamp) {
  return std::string(timestamp.substr(0, 8)) + '/' + signer.region + '/' + signer.service +
         "/aws4_request";
}

std::string signed_by(const Signer& signer, const net::Request& request,
                      const std::vector<std::string>& names, std::string_view timestamp) {
  std::string hash(request.header("x-amz-content-sha256"));
  if (hash.empty()) hash = crypto::hex(crypto::sha256(as_bytes(request.body)));
  const std::string canonical = canonical_request(request, names, hash, signer.path_encoded_twice);
  return signature(signer.secret, timestamp.substr(0, 8), signer.region, signer.service,
                   string_to_sign(timestamp, scope_of(signer, timestamp), canonical));
}

}  // namespace

void sign(net::Request& request, const Signer& signer, WallTime now) {
  const std::string timestamp = amz_date(now);
  request.headers.push_back({"X-Amz-Date", timestamp});
  if (!signer.security_token.empty()) {
    request.headers.push_back({"X-Amz-Security-Token", signer.security_token});
  }
  const std::vector<std::string> names = header_names(request);
  std::string text(algorithm);
  text += " Credential=" + signer.access_key_id + '/' + scope_of(signer, timestamp);
  text += ", SignedHeaders=" + joined(names);
  text += ", Signature=" + signed_by(signer, request, names, timestamp);
  request.headers.push_back({"Authorization", std::move(text)});
}

void presign(net::Request& request, const Signer& signer, WallTime now,
             std::int64_t expires_seconds, bool token_unsigned) {
  const std::string timestamp = amz_date(now);
  const std::vector<std::string> names = header_names(request);
  const auto add = [&request](std::string_view name, std::string_view value) {
    request.target += request.target.find('?') == std::string::npos ? '?' : '&';
    request.target.append(name).append("=").append(percent_encode(value));
  };
  add("X-Amz-Algorithm", algorithm);
  add("X-Amz-Credential", signer.access_key_id + '/' + scope_of(signer, timestamp));
  add("X-Amz-Date", timestamp);
  if (expires_seconds > 0) add("X-Amz-Expires", std::to_string(expires_seconds));
  add("X-Amz-SignedHeaders", joined(names));
  const bool token = !signer.security_token.empty();
  if (token && !token_unsigned) add("X-Amz-Security-Token", signer.security_token);
  const std::string made = signed_by(signer, request, names, timestamp);
  add("X-Amz-Signature", made);
  if (token && token_unsigned) add("X-Amz-Security-Token", signer.security_token);
}

}  // namespace gnomon::api
