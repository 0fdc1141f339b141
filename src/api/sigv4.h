// AWS Signature Version 4: what a request claims, whether its signature holds, and signing.
// Source: "Signature Version 4 signing process" (AWS General Reference); what clients really send
// is measured.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/http_message.h"

namespace gnomon::api {

// Why a request is not taken for what it says it is. Protocols name these differently.
struct Refusal {
  enum class Reason : std::uint8_t {
    missing,     // no signature at all
    incomplete,  // parts are missing, twice or malformed
    mismatch,    // another signature, scope or time
  };
  Reason reason = Reason::missing;
  std::string message;  // as AWS words it
};

// What a request says of itself. Nothing of it is true before verify() has said so: until then it
// may choose the service and look up the key, no more.
struct Claim {
  enum class Form : std::uint8_t { header, query };
  Form form = Form::header;
  std::string access_key_id;
  std::string date, region, service;        // the scope: "20261125", "us-east-1", "iot"
  std::string timestamp;                    // "20261125T151321Z"
  WallTime signed_at;                       // the same
  std::int64_t expires_seconds = 0;         // query form; 0: not stated
  std::vector<std::string> signed_headers;  // lower case, sorted, no two the same
  std::string signature;                    // 64 lower-case hexadecimal digits
  std::string security_token;               // of temporary keys, or ""
};

// Whether a request has either form of a signature, right or wrong.
[[nodiscard]] bool is_signed(const net::Request& request);

// Reads what `request` claims. Refused: no signature (`missing`); both forms at once, a header or
// parameter of the signature twice, parts that are missing or malformed (`incomplete`).
[[nodiscard]] std::optional<Refusal> read_claim(const net::Request& request, Claim& claim);

// What the operation that is called demands of a signature.
struct Demands {
  enum class Payload : std::uint8_t {
    hashed,    // its SHA-256 is signed, always
    unsigned_  // "UNSIGNED-PAYLOAD" will do, and is what the query form means (S3)
  };
  std::string_view service;            // "iot"
  std::string_view region;             // ours, or that of a global service
  bool path_encoded_twice = true;      // false: S3
  bool token_may_be_unsigned = false;  // true: iotdevicegateway, whose clients add the token later
  Payload payload = Payload::hashed;
  std::span<const std::string_view> bound_headers = {};  // lower case: signed if there
};

// Whether `request`, its body whole, was signed as `claim` (read from it) says, with `secret`, for
// what is demanded, at a time that fits `now`. Nothing: it was. That the key exists, and that the
// token belongs to it and has not expired, is for the caller. The signatures are compared in a time
// that does not tell where they differ.
[[nodiscard]] std::optional<Refusal> verify(const net::Request& request, const Claim& claim,
                                            std::string_view secret, const Demands& demands,
                                            WallTime now);

// Signing, for clients.
struct Signer {
  std::string access_key_id, secret, security_token;  // the last: "" for keys that last
  std::string region, service;
  bool path_encoded_twice = true;
};
// Adds X-Amz-Date, X-Amz-Security-Token and Authorization; signs all headers there are. Host must
// be there.
void sign(net::Request& request, const Signer& signer, WallTime now);
// The query form: adds parameters to the target; X-Amz-Expires if above 0. `token_unsigned`: the
// token comes after the signature, as device SDKs do it.
void presign(net::Request& request, const Signer& signer, WallTime now,
             std::int64_t expires_seconds = 0, bool token_unsigned = false);

// The three texts of the process, as published test vectors show them. `payload_hash` is the last
// line of the canonical request; `leave_out` are names of parameters that are not signed.
[[nodiscard]] std::string canonical_request(const net::Request& request,
                                            std::span<const std::string> signed_headers,
                                            std::string_view payload_hash, bool path_encoded_twice,
                                            std::span<const std::string_view> leave_out = {});
[[nodiscard]] std::string string_to_sign(std::string_view timestamp, std::string_view scope,
                                         std::string_view canonical_request);
[[nodiscard]] std::string signature(std::string_view secret, std::string_view date,
                                    std::string_view region, std::string_view service,
                                    std::string_view string_to_sign);

// "20261125T151321Z", both ways; nothing if `text` is not of that form, no time or
// before 1970.
[[nodiscard]] std::string amz_date(WallTime at);
[[nodiscard]] std::optional<WallTime> from_amz_date(std::string_view text);

}  // namespace gnomon::api
