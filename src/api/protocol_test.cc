// What the services that are built do not use yet: the json protocol, headers with a prefix,
// statuses in outputs, structures as payloads, flattened lists and maps.
#include <array>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "api/operation.h"
#include "api/render.h"
#include "api/to_wire.h"
#include "api/values.h"

namespace gnomon::api {
namespace {

namespace bj = boost::json;

const Shape text{.name = "Text", .type = Type::string};
const Shape number{.name = "Number", .type = Type::integer};
const Shape time{.name = "Time", .type = Type::timestamp};
const Shape texts{.name = "Texts", .type = Type::list, .flattened = true, .element = &text};
const Shape attributes{
    .name = "Attributes", .type = Type::map, .flattened = true, .element = &text, .key = &text};

extern const std::array<Member, 3> tree_members;
const Shape tree{.name = "Tree", .type = Type::structure, .members = tree_members};
const Shape trees{.name = "Trees", .type = Type::list, .element = &tree};
const std::array<Member, 3> tree_members = {
    {{"Name", "Name", &text}, {"When", "When", &time}, {"Below", "Below", &trees}}};

const Row row{.actions = {}, .resources = {}, .keys = {}, .passes = {}};

extern const Service tables;
const std::array<Operation, 1> json_operations = {{{.service = &tables,
                                                    .name = "Put",
                                                    .method = "POST",
                                                    .input = &tree,
                                                    .output = &tree,
                                                    .row = &row}}};
const Service tables{.name = "tables",
                     .signing_name = "tables",
                     .protocol = Protocol::json,
                     .scope = Scope::regional,
                     .version = "1",
                     .target_prefix = "Tables_2012.x",
                     .json_version = "1.0",
                     .xml_namespace = "",
                     .invalid_code = "ValidationException",
                     .malformed_code = "SerializationException",
                     .operations = json_operations,
                     .routes = {},
                     .errors = {}};

std::optional<ApiError> put(std::string target, std::string body, json::Value& input) {
  const net::Request request{.method = "POST",
                             .target = "/",
                             .headers = {{"X-Amz-Target", std::move(target)}},
                             .body = std::move(body)};
  Call call;
  if (auto error = find(tables, request, call)) return error;
  return bind(call, request, input);
}

TEST_CASE("json: the operation is in X-Amz-Target, everything else in the document") {
  bj::value input;
  CHECK(!put("Tables_2012.x.Put", R"({"Name":"a","When":1.5,"Below":[{"Name":"b"},{}]})", input));
  CHECK(json::write(input) == R"({"Name":"a","When":1500,"Below":[{"Name":"b"},{}]})");

  const auto name = [&input](std::string target, std::string body) {
    const auto error = put(std::move(target), std::move(body), input);
    return error ? std::to_string(error->status) + " " + error->name : "";
  };
  CHECK(name("Tables_2012.x.Get", "{}") == "400 UnknownOperationException");
  CHECK(name("Other.Put", "{}") == "400 UnknownOperationException");
  CHECK(name("Put", "{}") == "400 UnknownOperationException");
  CHECK(name("Tables_2012.x.Put", "{\"Below\":{}}") == "400 SerializationException");
  for (const char* const when : {"\"x\"", "-1", "253402300800", "true"}) {
    CAPTURE(when);
    CHECK(name("Tables_2012.x.Put", std::string("{\"When\":") + when + "}") ==
          "400 SerializationException");
  }
  CHECK(name("Tables_2012.x.Put", "{\"When\":\"2026-11-25T15:13:21.5Z\"}").empty());
  CHECK(json::write(input) == R"({"When":1795619601500})");

  std::string deep;
  for (int i = 0; i < 40; ++i) deep += R"({"Below":[)";
  for (int i = 0; i < 40; ++i) deep += "]}";
  CHECK(name("Tables_2012.x.Put", deep) == "400 SerializationException");
}

TEST_CASE("json: answers") {
  const net::Response done =
      render(json_operations[0], bj::object{{"Below", bj::array{bj::object{{"When", 2000}}}}}, "R");
  CHECK(done.body == R"({"Below":[{"When":2}]})");
  CHECK(done.headers[0].value == "application/x-amz-json-1.0");
  const net::Response error = render(tables, common_error(tables, Fault::invalid, "no"), "R");
  CHECK(error.status == 400);
  CHECK(error.body == R"({"__type":"ValidationException","message":"no"})");
}

const std::array<Member, 6> rest_members = {
    {{"Meta", "x-amz-meta-", &attributes, Location::prefix_headers},
     {"Count", "x-count", &number, Location::header},
     {"Since", "if-modified-since", &time, Location::header},
     {"Names", "name", &texts, Location::query},
     {"Status", "Status", &number, Location::status},
     {"Tree", "Tree", &tree, Location::payload}}};
const Shape rest_shape{.name = "Rest", .type = Type::structure, .members = rest_members};
const std::array<Segment, 2> rest_route = {
    {{Segment::Kind::literal, "rest"}, {Segment::Kind::greedy, "Key"}}};

extern const Service rest;
const std::array<Operation, 1> rest_operations = {{{.service = &rest,
                                                    .name = "Do",
                                                    .method = "PUT",
                                                    .route = rest_route,
                                                    .input = &rest_shape,
                                                    .output = &rest_shape,
                                                    .row = &row}}};
const std::array<const Operation*, 1> rest_routes = {rest_operations.data()};
const Service rest{.name = "rest",
                   .signing_name = "rest",
                   .protocol = Protocol::rest_json,
                   .scope = Scope::regional,
                   .version = "1",
                   .target_prefix = "",
                   .json_version = "",
                   .xml_namespace = "",
                   .invalid_code = "I",
                   .malformed_code = "M",
                   .operations = rest_operations,
                   .routes = rest_routes,
                   .errors = {}};

TEST_CASE("rest-json: every place that a member may have") {
  const net::Request request{.method = "PUT",
                             .target = "/rest/a/b%2Fc?name=x&name=y",
                             .headers = {{"X-Amz-Meta-Colour", "red"},
                                         {"X-Count", "3"},
                                         {"If-Modified-Since", "Wed, 25 Nov 2026 15:13:21 GMT"}},
                             .body = R"({"Name":"n"})"};
  Call call;
  bj::value input;
  REQUIRE(!find(rest, request, call));
  CHECK(call.labels == std::vector<Parameter>{{"Key", "a/b/c"}});
  REQUIRE(!bind(call, request, input));
  CHECK(json::write(input) == R"({"Meta":{"colour":"red"},"Count":3,"Since":1795619601000,)"
                              R"("Names":["x","y"],"Tree":{"Name":"n"}})");
  input.get_object()["Status"] = 202;
  input.get_object().erase("Names");
  const net::Response response = render(rest_operations[0], input, "R");
  CHECK(response.status == 202);
  CHECK(response.body == R"({"Name":"n"})");
  std::string headers;
  for (const net::Header& header : response.headers) {
    headers += header.name + "=" + header.value + "|";
  }
  CHECK(headers ==
        "content-type=application/json|x-amzn-RequestId=R|x-amz-meta-colour=red|"
        "x-count=3|if-modified-since=Wed, 25 Nov 2026 15:13:21 GMT|");
}

const std::array<Member, 2> flat_members = {
    {{"Names", "Name", &texts}, {"Attributes", "Attribute", &attributes}}};
const Shape flat{.name = "Flat", .type = Type::structure, .members = flat_members};

TEST_CASE("flattened lists and maps") {
  bj::value read;
  CHECK(!from_form(
      flat,
      {{"Name.1", "a"}, {"Name.2", "b"}, {"Attribute.1.key", "k"}, {"Attribute.1.value", "v"}},
      read));
  CHECK(json::write(read) == R"({"Names":["a","b"],"Attributes":{"k":"v"}})");
  std::string xml;
  to_xml(xml, flat, read);
  CHECK(xml ==
        "<Name>a</Name><Name>b</Name>"
        "<Attribute><key>k</key><value>v</value></Attribute>");
  const auto trouble = [&read](std::vector<Parameter> form) {
    return from_form(flat, form, read).value_or("");
  };
  CHECK(trouble({{"Attribute.1.value", "v"}}).find("'Attribute.1.key' is missing") == 0);
  CHECK(trouble({{"Attribute.1.key", "v"}}).find("'Attribute.1.value' has no value") == 0);
  CHECK(trouble({{"Attribute.1.key", "k"},
                 {"Attribute.1.value", "v"},
                 {"Attribute.2.key", "k"},
                 {"Attribute.2.value", "v"}})
            .find("'k' is twice") == 0);
}

}  // namespace
}  // namespace gnomon::api
