#include "cli/json.h"

#include <doctest/doctest.h>

namespace gnomon::cli {
namespace {

TEST_CASE("what is JSON") {
  for (const char* text :
       {"1", "-0.5e+3", "\"a\\u00e4\\n\"", "true", " null ", "[]", "[1, [2]]", "{\"a\":{}}"}) {
    CAPTURE(text);
    CHECK(is_json(text));
  }
  for (const char* text :
       {"", "01", "1.", ".5", "\"", "\"\\x\"", "\"\\u12\"", "tru", "[1,]", "{a:1}", "{\"a\"}",
        "{\"a\":1,}", "[", "1 2", "\"\xff\"", "\"\n\"", "-"}) {
    CAPTURE(text);
    CHECK(!is_json(text));
  }
  CHECK(!is_json(std::string(100'000, '[')));
  CHECK(is_json(std::string(500, '[') + std::string(500, ']')));
}

TEST_CASE("values of JSON") {
  const auto value = read_json(R"( {"a": "x\n\u00e4\ud83d\ude00", "n": -1.5e3, "t": true,)"
                               R"( "z": null, "l": [1, {"k": 2}]} )");
  REQUIRE(value);
  CHECK(value->get("a") == "x\n\u00e4\U0001f600");
  CHECK(value->get("n") == "-1500.0");
  CHECK(value->get("t") == "true");
  CHECK(value->get("z").empty());
  CHECK(value->find("z")->kind == Json::Kind::null);
  CHECK(value->find("none") == nullptr);
  const Json* list = value->find("l");
  REQUIRE(list->members.size() == 2);
  CHECK(list->members[0].value.text == "1");
  CHECK(list->members[1].value.get("k") == "2");
}

}  // namespace
}  // namespace gnomon::cli
