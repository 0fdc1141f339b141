#include "api/operation.h"

#include <algorithm>
#include <set>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "api/authority.h"
#include "api/cases.h"

namespace gnomon::api {
namespace {

// What a case says, and what was found. Lines: `request SERVICE METHOD TARGET`, `Name: value`,
// `body TEXT`; then `call NAME`, `input JSON`, `action`, `resource`, `key NAME VALUES`, `pass ARN
// SERVICE`; or `error STATUS NAME MESSAGE` ("…" at its end: that it begins so).
struct Binding {
  const Service* service = nullptr;
  net::Request request;
  std::vector<std::string> expected, found;
};

void note(std::vector<std::string>& all, std::string text) {
  while (text.ends_with(' ')) text.pop_back();  // no line of a file ends so
  all.push_back(std::move(text));
}

bool read_request(const CaseLine& line, Binding& binding) {
  if (line.word == "request") {
    const std::size_t a = line.rest.find(' '), b = line.rest.find(' ', a + 1);
    binding.service = service_named(line.rest.substr(0, a));
    binding.request.method = line.rest.substr(a + 1, b - a - 1);
    binding.request.target = line.rest.substr(b + 1);
  } else if (line.word.ends_with(':')) {
    binding.request.headers.push_back({line.word.substr(0, line.word.size() - 1), line.rest});
  } else if (line.word == "body") {
    binding.request.body = line.rest;
  } else {
    return false;
  }
  return true;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out.append(" ").append(text);
  return out;
}

void run(Binding& binding) {
  Call call;
  json::Value input;
  auto error = find(*binding.service, binding.request, call);
  if (!error) error = bind(call, binding.request, input);
  if (error) {
    return note(binding.found, "error " + std::to_string(error->status) + " " + error->name + " " +
                                   error->message);
  }
  note(binding.found, "call " + std::string(call.operation->name));
  note(binding.found, "input " + json::write(input));
  const Surroundings around{"123456789012", "us-east-1", "Ann", [](auto, auto name) {
                              return std::string(name == "Ann" ? "/division/" : "/");
                            }};
  const Row& row = *call.operation->row;
  for (const auto action : actions(row, input))
    note(binding.found, "action " + std::string(action));
  for (const auto& arn : resources(row, input, around)) note(binding.found, "resource " + arn);
  for (const auto& [key, values] : condition_keys(row, input)) {
    note(binding.found, "key " + key + joined(values));
  }
  for (const auto& [arn, service] : roles_to_pass(row, input)) {
    note(binding.found, "pass " + arn + " " + std::string(service));
  }
}

TEST_CASE("requests and what they call, as testdata/binding.test has them") {
  const auto cases = read_case_file("testdata/binding.test");
  REQUIRE(cases.size() > 60);
  for (const Case& one : cases) {
    CAPTURE(one.name);
    Binding binding;
    for (const CaseLine& line : one.lines) {
      if (!read_request(line, binding)) note(binding.expected, line.word + " " + line.rest);
    }
    REQUIRE(binding.service != nullptr);
    REQUIRE(!binding.expected.empty());
    run(binding);
    // What a case does not speak of is not compared.
    for (const char* const word :
         {"call ", "input ", "action ", "resource ", "key ", "pass ", "error "}) {
      std::vector<std::string> expected, found;
      for (const auto& text : binding.expected) {
        if (text.starts_with(word)) expected.push_back(text);
      }
      for (const auto& text : binding.found) {
        if (text.starts_with(word)) found.push_back(text);
      }
      const bool error = std::string_view(word) == "error ";
      if (expected.empty() && !error) continue;
      if (!expected.empty() && !found.empty() && expected[0].ends_with("…")) {
        found[0] = found[0].substr(0, expected[0].size() - 3) + "…";
      }
      CHECK(joined(found) == joined(expected));
    }
  }
}

TEST_CASE("every operation of every service is known, and what is built says all") {
  std::size_t known = 0, built = 0;
  for (const Service* service : services()) {
    CAPTURE(service->name);
    CHECK(service_signed_as(service->signing_name) == service);
    CHECK(std::ranges::is_sorted(service->operations, {}, &Operation::name));
    CHECK(error_named(*service, "No such error") == nullptr);
    for (const Operation& operation : service->operations) {
      CAPTURE(operation.name);
      ++known;
      CHECK(operation_named(*service, operation.name) == &operation);
      CHECK(operation.service == service);
      if (operation.row == nullptr) continue;
      ++built;
      CHECK(operation.row->auth != 0);
      for (const ErrorShape* error : operation.errors) CHECK(error->status >= 400);
    }
  }
  CHECK(known == 272 + 8 + 176 + 11 + 3);
  CHECK(built > 150);
}

TEST_CASE("each route leads to its own operation") {
  for (const Service* service : services()) {
    for (const Operation* operation : service->routes) {
      net::Request request{
          .method = std::string(operation->method), .target = "", .headers = {}, .body = {}};
      for (const Segment& segment : operation->route) {
        request.target += '/';
        request.target += segment.kind == Segment::Kind::literal ? segment.text : "x%2Fy";
      }
      for (const char* const end : {"", "/", "?a=b"}) {
        CAPTURE(request.target);
        net::Request one = request;
        one.target += end;
        Call call;
        const auto error = find(*service, one, call);
        CHECK(call.operation == operation);
        CHECK(error.has_value() == (operation->row == nullptr));
        for (const Parameter& label : call.labels) CHECK(label.value == "x/y");
      }
    }
  }
}

TEST_CASE("without a signature only what may be called so is found") {
  const auto asked = [](const char* method, const char* target, Auth auth) {
    Call call;
    const net::Request request{.method = method, .target = target, .headers = {}, .body = {}};
    const Service* const service = find_open(auth, request, call);
    return service == nullptr ? std::string("nothing") : std::string(call.operation->name);
  };
  CHECK(asked("POST", "/topics/a/b", client_certificate) == "Publish");
  CHECK(asked("GET", "/things/t/shadow", client_certificate) == "GetThingShadow");
  CHECK(asked("GET", "/things/t/shadow", unsigned_call) == "nothing");
  CHECK(asked("GET", "/things/t", client_certificate) == "nothing");
  CHECK(asked("GET", "/", client_certificate) == "nothing");
}

TEST_CASE("what a signature of a call must be like") {
  const Operation& attach = *operation_named(*service_named("iot"), "AttachThingPrincipal");
  Claim claim;
  claim.region = "us-east-1";
  const Demands demands = demands_of(attach, claim, "eu-west-1");
  CHECK(demands.service == "iot");
  CHECK(demands.region == "eu-west-1");
  CHECK(demands.payload == Demands::Payload::hashed);
  REQUIRE(demands.bound_headers.size() == 1);
  CHECK(demands.bound_headers[0] == "x-amzn-principal");

  const Operation& user = *operation_named(*service_named("iam"), "GetUser");
  const Operation& caller = *operation_named(*service_named("sts"), "GetCallerIdentity");
  CHECK(demands_of(user, claim, "eu-west-1").region == "us-east-1");
  CHECK(demands_of(caller, claim, "eu-west-1").region == "us-east-1");
  claim.region = "ap-south-1";
  CHECK(demands_of(user, claim, "eu-west-1").region == "us-east-1");
  CHECK(demands_of(caller, claim, "eu-west-1").region == "eu-west-1");
  claim.service = "execute-api";
  CHECK(demands_of(attach, claim, "eu-west-1").service == "execute-api");
  CHECK(demands_of(user, claim, "eu-west-1").service == "iam");

  const ApiError error = to_error(*user.service, {Refusal::Reason::mismatch, "no"});
  CHECK(error.status == 403);
  CHECK(error.name == "SignatureDoesNotMatch");
  CHECK(error.message == "no");
}

}  // namespace
}  // namespace gnomon::api
