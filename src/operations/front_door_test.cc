// From signed requests to answers, with a registry in memory.
#include "operations/front_door.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>

#include "api/compatibility.h"
#include "operations/front_door_fixture.h"

namespace gnomon::operations {
namespace {

using testing::error_type;
using testing::Fixture;

std::uint64_t count(const CallCounts& counts, std::string_view name, std::string_view label) {
  const metrics::Sample sample = counts.sample();
  for (std::size_t i = 0; i < sample.table.size(); ++i) {
    if (sample.table[i].name == name &&
        std::string_view(sample.table[i].labels).find(label) != std::string_view::npos)
      return sample.values[i];
  }
  FAIL("there is no " << name << ' ' << label);
  return 0;
}

TEST_CASE("a signed call is done, counted, and told to the log") {
  Fixture fixture;
  const Answer answer = fixture.signed_call("POST", "/things/lamp", "{}");
  CHECK(answer.response.status == 200);
  CHECK(answer.response.body.find(R"("thingName":"lamp")") != std::string::npos);
  CHECK(answer.operation->name == "CreateThing");
  CHECK(answer.caller == "arn:aws:iam::123456789012:root");
  CHECK(answer.error.empty());
  CHECK(answer.done.sequence > 0);
  CHECK(count(fixture.counts, "gnomon_api_calls_total", "\"CreateThing\"") == 1);
  CHECK(count(fixture.counts, "gnomon_api_errors_total", "\"CreateThing\"") == 0);

  const Answer again = fixture.signed_call("GET", "/things/none");
  CHECK(again.response.status == 404);
  CHECK(error_type(again) == "ResourceNotFoundException");
  CHECK(again.error == "ResourceNotFoundException");
  CHECK(count(fixture.counts, "gnomon_api_errors_total", "\"DescribeThing\"") == 1);
}

TEST_CASE("a body that is too long is answered in the form of whose call it is") {
  Fixture fixture;
  const auto answer = [&](net::Request head, bool certificate) {
    return fixture.door.refuse_body(head, certificate);
  };
  const net::Request publish = fixture.request("POST", "/topics/a");
  api::Signer by = fixture.signer;
  by.service = "iotdata";
  for (const auto& [head, certificate] :
       {std::pair(fixture.sign(publish, by), false), std::pair(publish, true)}) {
    const net::Response response = answer(head, certificate);
    CHECK(response.status == 413);
    Answer answered;
    answered.response = response;
    CHECK(error_type(answered) == "RequestEntityTooLargeException");
    CHECK(response.body.starts_with(
        R"({"message":"The payload exceeds the maximum size allowed","traceId":")"));
  }
  const net::Response other =
      answer(fixture.sign(fixture.request("POST", "/things/lamp"), fixture.signer), false);
  CHECK(other.status == 413);
  CHECK(other.body == R"({"message":"The payload exceeds the maximum size allowed"})");
  const net::Response nobodys = answer(fixture.request("POST", "/nothing"), false);
  CHECK(nobodys.status == 413);
  CHECK(count(fixture.counts, "gnomon_api_refused_total", "\"input\"") == 4);
}

TEST_CASE("whoever does not prove who they are gets nothing") {
  Fixture fixture;
  const auto refused = [&](net::Request request, int status, std::string_view type) {
    const Answer answer = fixture.call(std::move(request));
    CHECK(answer.response.status == status);
    CHECK(error_type(answer) == type);
    CHECK(answer.done.sequence == 0);
    CHECK(answer.caller.empty());
  };
  const net::Request create = fixture.request("POST", "/things/lamp", "{}");
  refused(create, 403, "MissingAuthenticationTokenException");

  api::Signer other = fixture.signer;
  other.secret = "not it";
  refused(fixture.sign(create, other), 403, "InvalidSignatureException");
  other = fixture.signer;
  other.access_key_id = "AKIAIOSFODNN7NOBODY0";
  refused(fixture.sign(create, other), 403, "UnrecognizedClientException");
  other = fixture.signer;
  other.security_token = "none of the root's";
  refused(fixture.sign(create, other), 403, "UnrecognizedClientException");
  other = fixture.signer;
  other.region = "eu-west-1";
  refused(fixture.sign(create, other), 403, "InvalidSignatureException");

  // Replayed with a header more, another body, and when it is old.
  net::Request replayed = fixture.sign(create, fixture.signer);
  replayed.headers.push_back({"x-amz-meta", "1"});
  refused(replayed, 403, "InvalidSignatureException");
  replayed = fixture.sign(create, fixture.signer);
  replayed.body = R"({"thingTypeName":"x"})";
  refused(replayed, 403, "InvalidSignatureException");
  replayed = fixture.sign(create, fixture.signer);
  fixture.registry.clock.advance(std::chrono::minutes(6));
  refused(replayed, 403, "InvalidSignatureException");

  CHECK(count(fixture.counts, "gnomon_api_refused_total", "signature") == 8);
  CHECK(fixture.signed_call("GET", "/things/lamp").response.status == 404);
}

TEST_CASE("a server without a root key knows nobody") {
  Fixture fixture;
  iam::Iam none = fixture.iam;
  none.root = {};
  none.known = iam::make_known_callers();
  World world{fixture.registry.registry, none, fixture.provisioning, fixture.devices, "localhost"};
  const FrontDoor door(
      {world, fixture.random, fixture.registry.clock, fixture.monotonic, fixture.counts});
  api::Signer empty = fixture.signer;
  empty.access_key_id = empty.secret = "";
  const auto signed_by = [&](const api::Signer& signer) {
    return door.serve({fixture.sign(fixture.request("GET", "/things"), signer), "192.0.2.1", false})
        .response.status;
  };
  CHECK(signed_by(empty) >= 400);
  CHECK(signed_by(fixture.signer) == 403);
}

TEST_CASE("what is not there says so in the form of its protocol") {
  Fixture fixture;
  Answer answer = fixture.signed_call("PUT", "/jobs/j", "{}");
  CHECK(answer.response.status == 501);
  CHECK(answer.response.body.find("iot:CreateJob") != std::string::npos);
  answer = fixture.signed_call("GET", "/nothing/of/the/kind");
  CHECK(answer.response.status == 404);
  api::Signer other = fixture.signer;
  other.service = "kinesis";
  answer = fixture.call(fixture.sign(fixture.request("POST", "/", "{}"), other));
  CHECK(answer.response.status == 501);
  CHECK(answer.response.body.find("kinesis") != std::string::npos);
  CHECK(count(fixture.counts, "gnomon_api_refused_total", "unknown") == 3);

  net::Request form = fixture.request("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15");
  form.headers.push_back({"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"});
  answer = fixture.call(form);
  CHECK(answer.response.status == 403);
  CHECK(answer.response.body.find("<Code>MissingAuthenticationToken</Code>") != std::string::npos);
}

TEST_CASE("iot is signed under its older name too, and nothing else is") {
  Fixture fixture;
  fixture.signer.service = "execute-api";
  CHECK(fixture.signed_call("POST", "/things/lamp", "{}").response.status == 200);
  CHECK(fixture.signed_call("GET", "/things/nobody").response.status == 404);
  fixture.signer.secret += 'x';
  CHECK(fixture.signed_call("GET", "/things/lamp").response.status == 403);
}

TEST_CASE("what is wrong with an input is told, and nothing is done") {
  Fixture fixture;
  const Answer answer = fixture.signed_call("POST", "/things/a%20b", "{}");
  CHECK(answer.response.status == 400);
  CHECK(error_type(answer) == "InvalidRequestException");
  CHECK(count(fixture.counts, "gnomon_api_refused_total", "input") == 1);
  CHECK(count(fixture.counts, "gnomon_api_calls_total", "\"CreateThing\"") == 0);
}

TEST_CASE("who signs a WebSocket") {
  Fixture fixture;
  api::Signer device = fixture.signer;
  device.service = "iotdevicegateway";
  net::Request upgrade = fixture.request("GET", "/mqtt");
  api::presign(upgrade, device, fixture.registry.clock.now());
  upgrade.headers.push_back({"User-Agent", "lamp/1"});
  const auto who = fixture.door.who_signed({upgrade, "192.0.2.9", true}, "iotdevicegateway");
  REQUIRE(who.caller != nullptr);
  using Keys = std::vector<api::KeyWithValues>;
  CHECK(who.keys == Keys{{"aws:SourceIp", {"192.0.2.9"}},
                         {"aws:SecureTransport", {"true"}},
                         {"aws:RequestedRegion", {"us-east-1"}},
                         {"aws:PrincipalIsAWSService", {"false"}},
                         {"aws:ViaAWSService", {"false"}},
                         {"aws:UserAgent", {"lamp/1"}}});
  CHECK(who.caller->kind == iam::Caller::Kind::root);

  CHECK(fixture.door.who_signed({upgrade, "", false}, "iot").caller == nullptr);
  upgrade.target += "0";
  const auto nobody = fixture.door.who_signed({upgrade, "", false}, "iotdevicegateway");
  CHECK(nobody.caller == nullptr);
  CHECK(nobody.error.status >= 400);
}

// `UPDATE_DOCS=1 build/dev/operations_test` writes it anew.
TEST_CASE("docs/compatibility.md tells what is built") {
  const std::string path = "../../docs/compatibility.md";
  const std::string page = api::compatibility_page(
      [](const api::Operation& operation) { return handler_of(operation) != nullptr; });
  if (std::getenv("UPDATE_DOCS") != nullptr) std::ofstream(path) << page;
  std::ifstream in(path);
  const std::string written{std::istreambuf_iterator<char>(in), {}};
  CHECK_MESSAGE(written == page, path << " is not what UPDATE_DOCS=1 operations_test writes");
}

}  // namespace
}  // namespace gnomon::operations
