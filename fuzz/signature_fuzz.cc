// Signed requests. Whatever the bytes are: reading ends, what is read is well-formed, no request
// holds without the secret, and one that is signed with it does, unless it breaks the form.
//
// Input: lines parted by '\n': method, target, headers "name:value"; behind an empty line the body.
#include <cstdlib>
#include <string>

#include "api/sigv4.h"
#include "base/bytes.h"
#include "base/fuzzing.h"

namespace {

using namespace gnomon;
using fuzz::check;
using fuzz::take_part;
using namespace gnomon::api;

// RFC 9110 §5.6.2: no other name comes out of the parser of HTTP.
constexpr std::string_view token_characters =
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

std::string_view take_line(std::string_view& text) { return take_part(text, '\n'); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = as_text({data, size});
  net::Request request;
  request.method = take_line(text);
  request.target = take_line(text);
  for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    request.headers.push_back({std::string(line.substr(0, colon)),
                               std::string(line.substr(std::min(colon + 1, line.size())))});
  }
  request.body = text;
  const WallTime now = *from_amz_date("20261125T151321Z");
  const Signer signer{"AKIDEXAMPLE", "secret", "", "us-east-1", "iot", true};
  Demands demands{.service = "iot", .region = "us-east-1"};

  Claim claim;
  if (const auto refusal = read_claim(request, claim)) {
    check(!refusal->message.empty());
    check((refusal->reason == Refusal::Reason::missing) == !is_signed(request) ||
          refusal->reason != Refusal::Reason::missing);
  } else {
    check(is_signed(request) && !claim.access_key_id.empty() && !claim.signed_headers.empty());
    check(amz_date(claim.signed_at) == claim.timestamp);
    demands.service = claim.service;
    demands.region = claim.region;
    check(verify(request, claim, "not the secret", demands, claim.signed_at).has_value());
    return 0;
  }
  if (is_signed(request) || request.count("host") != 1) return 0;
  for (const net::Header& header : request.headers) {
    if (net::lower_case(header.name).starts_with("x-amz") || header.name.empty() ||
        header.name.find_first_not_of(token_characters) != std::string::npos ||
        net::same_name(header.name, "date") || net::same_name(header.name, "authorization")) {
      return 0;
    }
  }
  if (request.headers.size() > 50) return 0;
  sign(request, signer, now);
  const auto refusal = read_claim(request, claim);
  if (refusal) {
    check(refusal->message == "The query of the request cannot be read.");
    return 0;
  }
  demands.service = "iot";
  demands.region = "us-east-1";
  check(!verify(request, claim, "secret", demands, now));
  return 0;
}
