#include "api/render.h"

#include <stdexcept>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "api/cases.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

const Service& iot = *service_named("iot");

std::string header(const net::Response& response, std::string_view name) {
  for (const net::Header& one : response.headers) {
    if (net::same_name(one.name, name)) return one.value;
  }
  return "none";
}

// A case: `output SERVICE OPERATION JSON`, or `error SERVICE NAME MESSAGE` with `member NAME VALUE`
// lines; then what is answered: `status`, `Name: value`, `body`.
TEST_CASE("answers, as testdata/rendering.test has them") {
  const auto cases = read_case_file("testdata/rendering.test");
  REQUIRE(cases.size() > 10);
  for (const Case& one : cases) {
    CAPTURE(one.name);
    const Service* service = nullptr;
    const Operation* operation = nullptr;
    bj::value output;
    ApiError error;
    std::vector<CaseLine> expected;
    for (const CaseLine& line : one.lines) {
      const std::size_t a = line.rest.find(' ');
      const std::size_t b = std::min(line.rest.find(' ', a + 1), line.rest.size());
      if (line.word == "output" || line.word == "error") {
        service = service_named(line.rest.substr(0, a));
        REQUIRE(service != nullptr);
        const std::string name = line.rest.substr(a + 1, b - a - 1);
        const std::string rest = line.rest.substr(std::min(b + 1, line.rest.size()));
        if (line.word == "output") {
          operation = operation_named(*service, name);
          output = *json::parse(rest);
        } else {
          error = modelled_error(*service, name, rest);
        }
      } else if (line.word == "member") {
        error.members.emplace_back(line.rest.substr(0, a), line.rest.substr(a + 1));
      } else {
        expected.push_back(line);
      }
    }
    REQUIRE(service != nullptr);
    const net::Response response =
        operation != nullptr ? render(*operation, output, "R-1") : render(*service, error, "R-1");
    REQUIRE(!expected.empty());
    CHECK(header(response, "x-amzn-requestid") == "R-1");
    for (const CaseLine& line : expected) {
      if (line.word == "status") {
        CHECK(std::to_string(response.status) == line.rest);
      } else if (line.word == "body") {
        CHECK(response.body == line.rest);
      } else {
        CHECK(header(response, line.word.substr(0, line.word.size() - 1)) == line.rest);
      }
    }
  }
}

TEST_CASE("what the model does not know is a bug") {
  const Operation& describe = *operation_named(iot, "DescribeThing");
  CHECK_THROWS_AS(render(describe, bj::object{{"nme", "x"}}, ""), std::logic_error);
  CHECK_THROWS_AS(render(describe, bj::object{{"version", "1"}}, ""), std::logic_error);
  CHECK_THROWS_AS(render(describe, bj::value("x"), ""), std::logic_error);
  CHECK_THROWS_AS(modelled_error(iot, "NoSuchException", ""), std::logic_error);
}

TEST_CASE("every modelled error carries what SDKs look for: its class, status and message") {
  for (const Service* service : services()) {
    for (const ErrorShape& shape : service->errors) {
      CAPTURE(shape.name);
      const net::Response response =
          render(*service, modelled_error(*service, shape.name, "why <&>"), "R");
      CHECK(response.status == shape.status);
      CHECK(shape.status >= 400);
      if (service->protocol == Protocol::query) {
        const std::string code = "<Code>" + std::string(shape.code) + "</Code>";
        CHECK(response.body.find(code + "<Message>why &lt;&amp;&gt;</Message>") !=
              std::string::npos);
        continue;
      }
      CHECK(header(response, "x-amzn-errortype") == shape.name);
      const auto body = json::parse(response.body);
      REQUIRE(body);
      CHECK(body->at(shape.message_wire).as_string() == "why <&>");
    }
  }
}

TEST_CASE("common errors have the names of their protocol") {
  const Service& iam = *service_named("iam");
  CHECK(common_error(iot, Fault::denied, "").name == "AccessDeniedException");
  CHECK(common_error(iam, Fault::denied, "").name == "AccessDenied");
  CHECK(common_error(iot, Fault::wrong_signature, "").name == "InvalidSignatureException");
  CHECK(common_error(iam, Fault::wrong_signature, "").name == "SignatureDoesNotMatch");
  CHECK(common_error(iam, Fault::unknown_key, "").status == 403);
  CHECK(common_error(iot, Fault::throttled, "").status == 400);
  CHECK(common_error(*service_named("iot-data"), Fault::throttled, "").status == 429);
  CHECK(common_error(iot, Fault::internal, "").status == 500);
}

TEST_CASE("ids of requests") {
  SeededRandom random(1);
  const std::string id = new_request_id(random);
  REQUIRE(id.size() == 36);
  CHECK(id[8] == '-');
  CHECK(id[14] == '4');
  CHECK(id[23] == '-');
  CHECK(std::string_view("89ab").find(id[19]) != std::string_view::npos);
  CHECK(new_request_id(random) != id);
}

}  // namespace
}  // namespace gnomon::api
