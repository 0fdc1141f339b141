#include "api/sigv4.h"

#include <fstream>
#include <functional>

#include <doctest/doctest.h>

#include "base/random.h"
#include "crypto/hash.h"

namespace gnomon::api {
namespace {

using Reason = Refusal::Reason;

const std::string secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const WallTime now = *from_amz_date("20261125T151321Z");
const Demands iot{.service = "iot", .region = "us-east-1"};

Signer signer() { return {"AKIDEXAMPLE", secret, "", "us-east-1", "iot"}; }

net::Request plain(std::string target = "/things?maxResults=5") {
  return {.method = "GET", .target = std::move(target), .headers = {{"Host", "h:1"}}, .body = {}};
}

net::Request signed_request() {
  net::Request request = plain();
  sign(request, signer(), now);
  return request;
}

std::optional<Refusal> judge(const net::Request& request, const Demands& demands = iot,
                             WallTime at = now) {
  Claim claim;
  if (auto refusal = read_claim(request, claim)) return refusal;
  return verify(request, claim, secret, demands, at);
}

void check_refused(const std::optional<Refusal>& refusal, Reason reason, std::string_view text) {
  REQUIRE(refusal);
  CHECK(refusal->reason == reason);
  CAPTURE(refusal->message);
  CHECK(refusal->message.find(text) != std::string::npos);
}

std::string& header_of(net::Request& request, std::string_view name) {
  for (net::Header& header : request.headers) {
    if (net::same_name(header.name, name)) return header.value;
  }
  throw std::logic_error("no such header");
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

struct Case {
  std::string name, service;
  bool s3 = false;
  net::Request request;
  [[nodiscard]] Demands demands() const {
    return {.service = service,
            .region = "us-east-1",
            .path_encoded_twice = !s3,
            .payload = s3 ? Demands::Payload::unsigned_ : Demands::Payload::hashed};
  }
};

std::vector<Case> read_cases() {
  std::vector<Case> cases;
  std::ifstream in("testdata/sigv4.test");
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t blank = line.find(' ');
    const std::string word = line.substr(0, blank), rest = line.substr(blank + 1);
    if (word == "case") {
      cases.push_back({rest, "", false, {}});
    } else if (word == "service") {
      cases.back().s3 = rest.ends_with(" s3");
      cases.back().service = rest.substr(0, rest.find(' '));
    } else if (word == "body") {
      cases.back().request.body = rest;
    } else if (word.ends_with(':')) {
      cases.back().request.headers.push_back({word.substr(0, word.size() - 1), rest});
    } else {
      cases.back().request.method = word;
      cases.back().request.target = rest;
    }
  }
  return cases;
}

TEST_CASE("what another signer signed is taken, and nothing else") {
  const std::vector<Case> cases = read_cases();
  REQUIRE(cases.size() == 17);
  for (const Case& one : cases) {
    CAPTURE(one.name);
    const auto refusal = judge(one.request, one.demands());
    if (refusal) FAIL(refusal->message);
    net::Request other = one.request;
    other.method = "DELETE";
    CHECK(judge(other, one.demands()));
    other = one.request;
    other.body += "x";
    const bool unsigned_body = one.name == "object presigned";
    CHECK(judge(other, one.demands()).has_value() != unsigned_body);
    other = one.request;
    other.headers.push_back({"x-amz-added", "1"});
    CHECK(judge(other, one.demands()));
    other = one.request;
    header_of(other, "host") += "0";
    CHECK(judge(other, one.demands()));
  }
}

// "AWS4-HMAC-SHA256" examples of the documentation of S3 and of Signature Version 4.
TEST_CASE("the published example") {
  const net::Request request{
      .method = "GET",
      .target = "/?Action=ListUsers&Version=2010-05-08",
      .headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
                  {"Host", "iam.amazonaws.com"},
                  {"X-Amz-Date", "20150830T123600Z"}},
      .body = {}};
  const std::vector<std::string> names = {"content-type", "host", "x-amz-date"};
  const std::string empty = crypto::hex(crypto::sha256({}));
  const std::string canonical = canonical_request(request, names, empty, true);
  CHECK(crypto::hex(crypto::sha256(as_bytes(canonical))) ==
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
  CHECK(signature(
            secret, "20150830", "us-east-1", "iam",
            string_to_sign("20150830T123600Z", "20150830/us-east-1/iam/aws4_request", canonical)) ==
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST_CASE("one form, whole, each part once") {
  check_refused(judge(plain()), Reason::missing, "Missing Authentication Token");
  net::Request request = plain();
  request.headers.push_back({"Authorization", "Bearer x"});
  CHECK(!is_signed(request));
  check_refused(judge(request), Reason::missing, "");

  const auto change = [](std::string_view from, std::string_view to) {
    net::Request changed = signed_request();
    replace(header_of(changed, "authorization"), from, to);
    return judge(changed);
  };
  check_refused(change("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), Reason::incomplete,
                "Unsupported AWS 'algorithm'");
  check_refused(change("Signature=", "Sig="), Reason::incomplete, "not a valid key=value pair");
  check_refused(change("/us-east-1", ""), Reason::incomplete, "exactly 5 slash-delimited");
  check_refused(change("aws4_request", "aws4"), Reason::mismatch, "valid terminator");
  check_refused(change("host;x-amz-date", "x-amz-date;host"), Reason::incomplete, "sorted");
  check_refused(change("host;", "host;host;"), Reason::incomplete, "each once");
  check_refused(change("host;", "Host;"), Reason::incomplete, "lower case");
  check_refused(change("host;", "host;user-agent;"), Reason::mismatch, "was not sent");

  request = signed_request();
  for (const char* name : {"Authorization", "x-amz-date"}) {
    net::Request twice = request;
    twice.headers.push_back({name, header_of(request, name)});
    check_refused(judge(twice), Reason::incomplete, "twice");
  }
  request.target += "&X-Amz-Signature=x";
  check_refused(judge(request), Reason::incomplete, "Only one auth mechanism");
  request.target = "/things?a=%4";
  check_refused(judge(request), Reason::incomplete, "cannot be read");

  request = plain();
  presign(request, signer(), now, 60);
  CHECK(!judge(request));
  net::Request other = request;
  other.target += "&X-Amz-Date=20261125T151321Z";
  check_refused(judge(other), Reason::incomplete, "twice");
  other = request;
  replace(other.target, "Expires=60", "Expires=604801");
  check_refused(judge(other), Reason::incomplete, "604800");
}

TEST_CASE("scope and time") {
  Demands demands = iot;
  demands.region = "eu-central-1";
  check_refused(judge(signed_request(), demands), Reason::mismatch,
                "not 'us-east-1': here it is 'eu-central-1'");
  demands = iot;
  demands.service = "iotdata";
  check_refused(judge(signed_request(), demands), Reason::mismatch, "correct service: 'iotdata'");

  using std::chrono::seconds;
  CHECK(!judge(signed_request(), iot, now + seconds(300)));
  CHECK(!judge(signed_request(), iot, now + seconds(-300)));
  check_refused(judge(signed_request(), iot, now + seconds(301)), Reason::mismatch,
                "Signature expired: 20261125T151321Z is now earlier than 20261125T151322Z "
                "(20261125T151822Z - 5 min.)");
  check_refused(judge(signed_request(), iot, now + seconds(-301)), Reason::mismatch,
                "Signature not yet current: 20261125T151321Z is still later than");

  net::Request request = plain();
  presign(request, signer(), now, 3600);
  CHECK(!judge(request, iot, now + seconds(3600)));
  check_refused(judge(request, iot, now + seconds(3601)), Reason::mismatch, "Signature expired");

  CHECK(amz_date(now) == "20261125T151321Z");
  for (const char* bad :
       {"", "20261125T151321", "20261325T151321Z", "20260230T151321Z", "20261125T241321Z",
        "2026112 T151321Z", "00261125T151321Z", "19691231T235959Z", "20261125T15132-Z"}) {
    CAPTURE(bad);
    CHECK(!from_amz_date(bad));
  }
}

TEST_CASE("what must be signed") {
  net::Request request = signed_request();
  request.headers.push_back({"X-Amzn-Principal", "arn"});
  check_refused(judge(request), Reason::mismatch, "not signed: 'x-amzn-principal'");

  request = signed_request();
  request.headers.push_back({"Content-Type", "text/plain"});
  CHECK(!judge(request));
  Demands demands = iot;
  constexpr std::string_view bound[] = {"content-type"};
  demands.bound_headers = bound;
  check_refused(judge(request, demands), Reason::mismatch, "not signed: 'content-type'");

  request = plain();
  std::erase_if(request.headers, [](const net::Header&) { return true; });
  sign(request, signer(), now);
  check_refused(judge(request), Reason::mismatch, "'Host' or ':authority'");

  request = plain();
  request.body = "text";
  request.headers.push_back({"x-amz-content-sha256", "UNSIGNED-PAYLOAD"});
  sign(request, signer(), now);
  check_refused(judge(request), Reason::mismatch, "x-amz-content-sha256");
  demands = iot;
  demands.payload = Demands::Payload::unsigned_;
  CHECK(!judge(request, demands));
  header_of(request, "x-amz-content-sha256") = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
  check_refused(judge(request, demands), Reason::mismatch, "x-amz-content-sha256");
}

TEST_CASE("the token of a device that speaks over WebSocket may be unsigned") {
  Signer temporary = signer();
  temporary.security_token = "TOKEN/+=";
  temporary.service = "iotdevicegateway";
  Demands demands{.service = "iotdevicegateway", .region = "us-east-1"};
  for (const bool token_unsigned : {false, true}) {
    CAPTURE(token_unsigned);
    net::Request request = plain("/mqtt");
    request.headers.push_back({"Connection", "Upgrade"});
    presign(request, temporary, now, 0, token_unsigned);
    demands.token_may_be_unsigned = false;
    CHECK(judge(request, demands).has_value() == token_unsigned);
    demands.token_may_be_unsigned = true;
    CHECK(!judge(request, demands));
    Claim claim;
    CHECK(!read_claim(request, claim));
    CHECK(claim.security_token == "TOKEN/+=");
    CHECK(claim.signed_headers == std::vector<std::string>{"connection", "host"});
  }
}

std::string random_text(Random& random, std::size_t most) {
  constexpr std::string_view alphabet = "abzAZ019-._~/ +%=&?;:,\xc3\xa4!*'()";
  std::string text;
  for (std::size_t i = random.below(most + 1); i > 0; --i) {
    text += alphabet[random.below(alphabet.size())];
  }
  return text;
}

// Visible characters at both ends, as a header has them when it arrives.
std::string random_value(Random& random) { return "v" + random_text(random, 20) + "v"; }

TEST_CASE("property: what was signed is taken, and no change of it") {
  SeededRandom random(5);
  for (int round = 0; round < 2000; ++round) {
    CAPTURE(round);
    net::Request request{.method = random.below(2) == 0 ? "GET" : "POST",
                         .target = "/",
                         .headers = {{"Host", "h"}, {"X-Amz-Meta-A", random_value(random)}},
                         .body = random_text(random, 30)};
    for (const char c : random_text(random, 12)) {
      if (c > ' ' && c < 127 && c != '%' && c != '?') request.target += c;
    }
    request.target += "?k=" + std::to_string(random.below(1000)) + "&k=2";
    Demands demands = iot;
    Signer by = signer();
    if (random.below(2) == 0) by.security_token = random_value(random);
    by.path_encoded_twice = demands.path_encoded_twice = random.below(2) == 0;
    const bool query = random.below(2) == 0;
    query ? presign(request, by, now, 60) : sign(request, by, now);
    const auto refusal = judge(request, demands);
    if (refusal) FAIL(refusal->message);

    // One byte, anywhere that is signed or a part of the signature.
    std::string* const places[] = {&request.target, &request.body, &request.method,
                                   &request.headers[random.below(request.headers.size())].value};
    std::string& place = *places[random.below(4)];
    const std::string before = place;
    const std::size_t at = random.below(place.size() + 1);
    if (at == place.size()) {
      place += 'w';
    } else {
      // '!' is no separator anywhere, and no other spelling of what is there.
      if (place[at] == '!' || place[at] == ' ' || place[at] == '/' || place[at] == ',') continue;
      place[at] = '!';
      if (before.substr(at, 1) == "%" || (at > 0 && before[at - 1] == '%')) continue;
    }
    CAPTURE(before);
    CAPTURE(place);
    Claim claim;
    // The id of another key: nothing that this secret could be asked about.
    if (!read_claim(request, claim) && claim.access_key_id != by.access_key_id) continue;
    CHECK(judge(request, demands));
  }
}

}  // namespace
}  // namespace gnomon::api
