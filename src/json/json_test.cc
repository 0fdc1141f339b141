#include "json/json.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

namespace gnomon::json {
namespace {

std::string again(std::string_view text, const Limits& limits = {}) {
  const auto value = parse(text, limits);
  return value ? write(*value) : value.error().message;
}

TEST_CASE("what is read is written compactly, in its order") {
  CHECK(again(" {\"b\" : [1, -2 ,\n true,false,null] ,\"a\":{} } ") ==
        R"({"b":[1,-2,true,false,null],"a":{}})");
  CHECK(again("[]") == "[]");
  CHECK(again("\"x\"") == "\"x\"");
  CHECK(again(R"("\u00fc\ud83d\ude00\n\/\"")") == "\"\xc3\xbc\xf0\x9f\x98\x80\\n/\\\"\"");
}

TEST_CASE("numbers: whole ones of 64 bits are exact, others the nearest double") {
  CHECK(again("[0,-9223372036854775808,18446744073709551615]") ==
        "[0,-9223372036854775808,18446744073709551615]");
  CHECK(again("18446744073709551616") == "18446744073709551616.0");
  CHECK(again("[1.0,1.5,0.1,1e2,-0.0]") == "[1.0,1.5,0.1,100.0,-0.0]");
  CHECK(again("5.9604644775390625e-8") == "5.960464477539063e-08");
  CHECK(again("1.7976931348623157e308") == "1.7976931348623157e+308");
  CHECK(again("9007199254740993.0") == "9007199254740992.0");
  CHECK(again("1e-400") == "0.0");
  CHECK(again("[1e400]") == "line 1, column 7: a number is too large");
  CHECK_FALSE(parse("01").ok());
  CHECK_FALSE(parse("1.").ok());
  CHECK_FALSE(parse("NaN").ok());
  CHECK_FALSE(parse("+1").ok());
}

TEST_CASE("a name that is there twice") {
  CHECK(again("{\"a\":1,\n \"b\":{\"c\":1},\n \"a\":2}") ==
        "line 3, column 7: the name \"a\" is there twice in one object");
  CHECK_FALSE(parse(R"({"x":{"a":1,"\u0061":2}})").ok());
  CHECK(again(R"([{"a":1},{"a":{"a":2}}])") == R"([{"a":1},{"a":{"a":2}}])");
  CHECK(again(R"({"a":1,"b":3,"a":2})", {.duplicates = Duplicates::last}) == R"({"a":2,"b":3})");
}

TEST_CASE("limits") {
  CHECK(again("[[1]]", {.depth_max = 2}) == "[[1]]");
  CHECK(again("[[[1]]]", {.depth_max = 2}) ==
        "line 1, column 3: arrays and objects are more than 2 deep");
  const auto long_one = parse("[1,2]", {.bytes_max = 4});
  REQUIRE_FALSE(long_one.ok());
  CHECK(long_one.error() ==
        Error{Code::exhausted, "the JSON text has 5 bytes; at most 4 are taken"});
  CHECK_FALSE(parse(std::string(100'000, '[')).ok());
}

TEST_CASE("what is no JSON") {
  CHECK(again("") == "line 1, column 1: the JSON text ends too early");
  CHECK(again("{\"a\":1} x") == "line 1, column 9: there is more behind the JSON text");
  for (const char* text :
       {"{", "{\"a\"}", "{a:1}", "[1,]", "{\"a\":1,}", "'a'", "\"\t\"", "\"a", "tru", "// c\n1",
        "\xef\xbb\xbf{}", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\\ud800\"", "\"\\udc00x\"", "[1 2]"}) {
    CAPTURE(text);
    const auto value = parse(text);
    REQUIRE_FALSE(value.ok());
    CHECK(value.error().code == Code::invalid);
    CHECK(value.error().message.starts_with("line "));
  }
}

}  // namespace
}  // namespace gnomon::json
